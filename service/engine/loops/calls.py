"""Calls of compiled loops whose arguments are kept as machine code takes them, and threads that wait for such calls.

To unpack some forty arrays takes Python 0.1 ms after a rest, when all that it looks at has left the caches, and to wake
a thread that has to wait for Python as long again. So what does not depend on an image is noted once, and threads are
handed the notes.
"""

# ruff: noqa: ARG001 (the arguments of an intrinsic are found again in what it generates)
from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import typeof
from numba.core import cgutils, types
from numba.np.arrayobj import populate_array
from numba.np.numpy_support import as_dtype
from numpy.typing import NDArray

from service.engine.loops.compiler import compiled, intrinsic

Array = NDArray[Any]
Given = Sequence[int]
"""What differs between images: GIVEN words."""

IMAGE, OUT, MEMORY, COUNTER, GIVEN = range(5)
"""Words (int64) that a loop is given, GIVEN in all: the addresses of the samples, of those of the result, of memory for
its thread, and of the counter of pieces, which is one for all threads."""
CALL, STATE, WOKEN, READY, FINISHED, FAILED, PROCESSOR, NEXT, WORDS = range(GIVEN, GIVEN + 9)
"""A box, in which a call is handed over, has WORDS: after those that the loop is given where its notes are, whether the
box holds a call, whether its thread has been woken, two locks, and what the loop gave back. Only the caller's own box
has the last two: from which processor the threads keep away, and the counter."""
EMPTY, FULL = range(2)
DONE, BROKEN = -1, -2

_INT64, _BYTES = ir.IntType(64), cgutils.voidptr_t
# Locks that do without Python's own: to be waited for, and let go, by any thread.
_acquire: Any = types.ExternalFunction("PyThread_acquire_lock", types.int32(types.int64, types.int32))
_release: Any = types.ExternalFunction("PyThread_release_lock", types.void(types.int64))
_sched_getcpu: Any = types.ExternalFunction("sched_getcpu", types.int32())
LINUX = sys.platform == "linux" and hasattr(ctypes.CDLL(None), "sched_getcpu")


def locked() -> int:
    """Make a lock that is held; gives its address, and it stays for ever, as the threads do."""
    python: Any = ctypes.pythonapi
    python.PyThread_allocate_lock.restype = ctypes.c_void_p
    python.PyThread_acquire_lock.argtypes = [ctypes.c_void_p, ctypes.c_int]
    lock = python.PyThread_allocate_lock()
    if not lock or not python.PyThread_acquire_lock(lock, 1):
        raise MemoryError("no lock")
    return int(lock)


def noted(loop: Callable[..., None], *arguments: Any) -> NDArray[np.uint64]:
    """Note a call of `loop`, for which @compiled(noted=True) stands, with `arguments`: tuples of arrays and numbers.

    Arrays are noted as addresses: they must outlive the notes.
    """
    dispatcher: Any = loop
    kind = typeof(arguments)  # type: ignore[no-untyped-call]
    signature = types.CPointer(types.int64), types.CPointer(kind)  # type: ignore[no-untyped-call]
    dispatcher.compile(signature)
    code = dispatcher.overloads[signature]
    values = np.array(_values(arguments), _layout(kind))
    notes = np.zeros(1 + -(-values.nbytes // 8), np.uint64)
    notes[0] = code.library.get_pointer_to_function(code.fndesc.llvm_func_name)
    notes[1:].view(np.uint8)[: values.nbytes] = np.frombuffer(values.tobytes(), np.uint8)
    return notes


@cache
def _layout(kind: Any) -> np.dtype[Any]:
    """Say how compiled code finds something of such a type in memory: as a C compiler would lay it out."""
    if isinstance(kind, types.BaseTuple):
        members: Any = kind
        return np.dtype([(f"f{i}", _layout(member)) for i, member in enumerate(members)], align=True)
    if isinstance(kind, types.Array):  # who owns it (two pointers), size, bytes of a number, address, shape, strides
        return np.dtype([("owner", np.int64, 2), ("data", np.int64, 3), ("shape", np.int64, 2 * kind.ndim)], align=True)
    return np.dtype(np.int64) if kind == types.none else as_dtype(kind)


def _values(value: Any) -> Any:
    """Give what stands at the places of a layout; nobody owns an array, so that nobody has to count references."""
    if isinstance(value, tuple):
        return tuple(map(_values, value))
    if isinstance(value, np.ndarray):
        return (0, 0), (value.size, value.itemsize, value.ctypes.data), value.shape + value.strides
    return 0 if value is None else value


@intrinsic
def arguments(typing: Any, notes: Any) -> Any:
    """Give the arguments of a loop, as a tuple."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return context.unpack_value(builder, notes.dtype, values[0])

    return notes.dtype(notes), generate


@intrinsic
def _begin(typing: Any, notes: Any, given: Any) -> Any:
    """Do the loop that is noted at address `notes`; what it is given is at address `given`. Gives 0 if it went well."""
    pointers = types.CPointer(types.int64), types.voidptr  # type: ignore[no-untyped-call]

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        convention = context.call_conv
        kind = convention.get_function_type(types.none, pointers).as_pointer()
        place = builder.inttoptr(values[0], kind.as_pointer())
        arguments = builder.gep(builder.bitcast(place, _INT64.as_pointer()), [_INT64(1)])
        own = builder.inttoptr(values[1], _INT64.as_pointer()), builder.bitcast(arguments, _BYTES)
        status, _ = convention.call_function(builder, builder.load(place), types.none, pointers, own)
        return status.code

    return types.int32(notes, given), generate


@intrinsic
def _exchange(typing: Any, box: Any, word: Any, value: Any) -> Any:
    """Put `value` into a word of a box; gives what it was, in one step for all threads."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, values[0]).data
        return builder.atomic_rmw("xchg", builder.gep(data, [values[1]]), values[2], "seq_cst")

    return types.int64(box, types.int64, types.int64), generate


@intrinsic
def _taken(typing: Any, box: Any) -> Any:
    """Empty a box; gives whether it was full, which only one thread finds."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, values[0]).data
        state = builder.gep(data, [_INT64(STATE)])
        return builder.extract_value(builder.cmpxchg(state, _INT64(FULL), _INT64(EMPTY), "seq_cst", "seq_cst"), 1)

    return types.boolean(box), generate


@intrinsic
def bytes_at(typing: Any, address: Any, shape: Any) -> Any:
    """Give the bytes at an address as an array of `shape`, a tuple."""
    return _array_at(types.uint8, address, shape)


@intrinsic
def numbers_at(typing: Any, address: Any, shape: Any, like: Any) -> Any:
    """Give the numbers at an address, of the type of those of `like`."""
    return _array_at(like.dtype, address, shape, like)


@intrinsic
def words_at(typing: Any, address: Any, shape: Any) -> Any:
    """Give the numbers (int64) at an address."""
    return _array_at(types.int64, address, shape)


def _array_at(dtype: Any, address: Any, shape: Any, *others: Any) -> Any:
    kind = types.Array(dtype, len(shape), "C")

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        size = _INT64(context.get_abi_sizeof(context.get_value_type(dtype)))
        shape = cgutils.unpack_tuple(builder, values[1])  # type: ignore[no-untyped-call]
        strides = [size]
        for length in shape[:0:-1]:
            strides.insert(0, builder.mul(strides[0], length))
        place = cgutils.alloca_once(builder, context.get_value_type(kind))  # type: ignore[no-untyped-call]
        array = context.make_array(kind)(context, builder, ref=place)
        data = builder.inttoptr(values[0], context.get_value_type(dtype).as_pointer())
        populate_array(  # type: ignore[no-untyped-call]
            array, data=data, shape=shape, strides=strides, itemsize=size, meminfo=None
        )
        return builder.load(place)

    return kind(address, shape, *others), generate


if LINUX:

    @compiled
    def _processor() -> int:
        processor: int = _sched_getcpu()
        return processor

else:

    @compiled
    def _processor() -> int:
        return -1


@compiled
def run(notes: int, image: Array, out: Array, memory: int, room: int, boxes: int, threads: int) -> int:
    """Do a loop as noted, on this thread and on those that serve boxes 1 to `threads`; the first is its own.

    `image` and `out` are bytes; of `memory` each thread has `room` bytes. It is given by its address, as are the notes,
    and the addresses of the boxes: each array more takes some microseconds. Gives DONE when all is done, BROKEN where a
    loop failed. Without having done anything, the number of this processor, where the threads may be on it as well.
    """
    places = words_at(boxes, (threads,))
    own, failed = words_at(places[0], (WORDS,)), 0
    if threads > 1:
        here = _processor()
        if here != own[PROCESSOR]:
            return here
    own[NEXT] = 0
    for i in range(threads):
        box = words_at(places[i], (WORDS,))
        box[IMAGE], box[OUT], box[MEMORY] = image.ctypes.data, out.ctypes.data, memory + i * room
        box[COUNTER], box[CALL] = places[0] + 8 * NEXT, notes
        if i > 0:
            _exchange(box, STATE, FULL)
            if _exchange(box, WOKEN, 1) == 0:  # else its thread is still on its way
                _release(box[READY])
    failed |= _begin(notes, places[0])
    for i in range(1, threads):
        box = words_at(places[i], (WORDS,))
        if not _taken(box):
            _acquire(box[FINISHED], 1)
            failed |= box[FAILED]
    return BROKEN if failed else DONE


@compiled
def serve(address: int) -> None:
    """Do what comes into the box at an address, for ever."""
    box = words_at(address, (WORDS,))
    while box[READY] != 0:
        _acquire(box[READY], 1)
        _exchange(box, WOKEN, 0)
        if _taken(box):
            box[FAILED] = _begin(box[CALL], address)
            _release(box[FINISHED])
