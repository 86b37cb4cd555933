"""Calls of compiled loops whose arguments are kept as machine code takes them, and threads that wait for such calls.

To unpack some forty arrays takes Python 0.1 ms after a rest, when all that it looks at has left the caches, and to wake
a thread that has to wait for Python as long again. So what does not depend on an image is noted once, and threads are
handed the notes.
"""

# ruff: noqa: ARG001 (the arguments of an intrinsic are found again in what it generates)
from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import typeof
from numba.core import cgutils, types
from numba.np.arrayobj import populate_array
from numba.np.numpy_support import carray
from numpy.typing import NDArray

from service.engine.loops.compiler import compiled, intrinsic

Array = NDArray[Any]

IMAGE, OUT, MEMORY, COUNTER, GIVEN = range(5)
"""Words (int64) that a loop is given, GIVEN in all: the addresses of the samples, of those of the result, of memory for
its thread, and of the counter of pieces, which is one for all threads."""
CALL, STATE, WOKEN, READY, FINISHED, FAILED, PROCESSOR, NEXT, WORDS = range(GIVEN, GIVEN + 9)
"""A box, in which a call is handed over, has WORDS: after those that the loop is given where its notes are, whether the
box holds a call, whether its thread has been woken, two locks, and what the loop gave back. Only the caller's own box
has the last two: from which processor the threads keep away, and the counter."""
EMPTY, FULL = range(2)
DONE, BROKEN = -1, -2

_INT32, _INT64, _BYTES = ir.IntType(32), ir.IntType(64), cgutils.voidptr_t
_THUNK = ir.FunctionType(_INT32, [_BYTES, _BYTES])
_GIVEN = types.Array(types.int64, 1, "C")
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


def noted(loop: Callable[..., None], *arguments: Any) -> NDArray[np.uint8]:
    """Note a call of `loop`, which takes what it is `given` (int64) before `arguments`.

    Arrays are noted as addresses: they must outlive the notes.
    """
    dispatcher: Any = loop
    kinds = (_GIVEN, *map(typeof, arguments))
    dispatcher.compile(kinds)
    code = dispatcher.overloads[kinds]
    address = code.library.get_pointer_to_function(code.fndesc.llvm_func_name)
    notes = np.empty(_take_down(np.empty(0, np.uint8), address, arguments), np.uint8)
    _take_down(notes, address, arguments)
    return notes


@compiled
def _take_down(notes: Array, loop: int, arguments: Any) -> int:
    size: int = _note(notes, loop, arguments)
    return size


@intrinsic
def _note(typing: Any, notes: Any, loop: Any, arguments: Any) -> Any:
    """Write into `notes`, if there is room: code that begins the loop at address `loop`, that address, the arguments.

    Gives the bytes that this takes.
    """
    signature = types.int64(notes, loop, arguments)

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        kinds = list(signature.args[2])
        parts = [_unowned(context, builder, kind, builder.extract_value(values[2], i)) for i, kind in enumerate(kinds)]
        function = context.call_conv.get_function_type(types.none, [_GIVEN, *kinds]).as_pointer()
        layout = ir.LiteralStructType([_THUNK.as_pointer(), function, *(part.type for part in parts)], packed=True)
        array = context.make_array(signature.args[0])(context, builder, values[0])
        size = _INT64(context.get_abi_sizeof(layout))
        with builder.if_then(builder.icmp_signed(">=", array.nitems, size)):
            place = builder.bitcast(array.data, layout.as_pointer())
            thunk = _thunk(context, builder, layout, kinds)
            for i, part in enumerate([thunk, builder.inttoptr(values[1], function), *parts]):
                builder.store(part, builder.gep(place, [_INT32(0), _INT32(i)]), align=1)
        return size

    return signature, generate


def _unowned(context: Any, builder: Any, kind: Any, value: Any) -> Any:
    """Forget who owns the arrays in `value`: the caller keeps them, and nobody has to count references."""
    if isinstance(kind, types.BaseTuple):
        parts: Any = kind
        for i, part in enumerate(parts):
            own = _unowned(context, builder, part, builder.extract_value(value, i))
            value = builder.insert_value(value, own, i)
        return value
    if isinstance(kind, types.Array):
        array = context.make_array(kind)(context, builder, value)
        array.meminfo, array.parent = (ir.Constant(part.type, None) for part in (array.meminfo, array.parent))
        return array._getvalue()
    return value


def _thunk(context: Any, builder: Any, layout: Any, kinds: list[Any]) -> Any:
    """Write a function that begins a loop as noted; it takes the notes and what the loop is given."""
    thunk = ir.Function(builder.module, _THUNK, f"{builder.function.name}.thunk")
    thunk.linkage = "internal"
    inside = ir.IRBuilder(thunk.append_basic_block())
    place = inside.bitcast(thunk.args[0], layout.as_pointer())
    fields = [inside.gep(place, [_INT32(0), _INT32(i)]) for i in range(1, len(layout.elements))]
    loop, *arguments = [inside.load(field, align=1) for field in fields]
    given = context.make_array(_GIVEN)(context, inside)
    data = inside.bitcast(thunk.args[1], _INT64.as_pointer())
    populate_array(  # type: ignore[no-untyped-call]
        given, data=data, shape=[_INT64(GIVEN)], strides=[_INT64(8)], itemsize=_INT64(8), meminfo=None
    )
    status, _ = context.call_conv.call_function(
        inside, loop, types.none, [_GIVEN, *kinds], [given._getvalue(), *arguments]
    )
    inside.ret(status.code)
    return thunk


@intrinsic
def _begin(typing: Any, notes: Any, given: Any) -> Any:
    """Do the loop that is noted at address `notes`; what it is given is at address `given`. Gives 0 if it went well."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        thunk = builder.load(builder.inttoptr(values[0], _THUNK.as_pointer().as_pointer()), align=1)
        return builder.call(thunk, [builder.inttoptr(value, _BYTES) for value in values])

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
def _pointer(typing: Any, address: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.inttoptr(values[0], _BYTES)

    return types.voidptr(address), generate


@compiled
def bytes_at(address: int, shape: Any) -> Array:
    """Give the bytes at an address as an array of `shape`, a tuple."""
    found: Array = carray(_pointer(address), shape, np.uint8)
    return found


@compiled
def numbers_at(address: int, shape: Any, like: Array) -> Array:
    """Give the numbers at an address, of the type of those of `like`."""
    found: Array = carray(_pointer(address), shape, like.dtype)
    return found


@compiled
def counter_at(given: Array) -> Array:
    """Give the counter of pieces of what a loop is `given`."""
    counter: Array = bytes_at(given[COUNTER], (8,)).view(np.int64)
    return counter


@compiled
def _words_at(address: int, count: int) -> Array:
    words: Array = carray(_pointer(address), (count,), np.int64)
    return words


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
    places = _words_at(boxes, threads)
    own, failed = _words_at(places[0], WORDS), 0
    if threads > 1:
        here = _processor()
        if here != own[PROCESSOR]:
            return here
    own[NEXT] = 0
    for i in range(threads):
        box = _words_at(places[i], WORDS)
        box[IMAGE], box[OUT], box[MEMORY] = image.ctypes.data, out.ctypes.data, memory + i * room
        box[COUNTER], box[CALL] = places[0] + 8 * NEXT, notes
        if i > 0:
            _exchange(box, STATE, FULL)
            if _exchange(box, WOKEN, 1) == 0:  # else its thread is still on its way
                _release(box[READY])
    failed |= _begin(notes, places[0])
    for i in range(1, threads):
        box = _words_at(places[i], WORDS)
        if not _taken(box):
            _acquire(box[FINISHED], 1)
            failed |= box[FAILED]
    return BROKEN if failed else DONE


@compiled
def serve(address: int) -> None:
    """Do what comes into the box at an address, for ever."""
    box = _words_at(address, WORDS)
    while box[READY] != 0:
        _acquire(box[READY], 1)
        _exchange(box, WOKEN, 0)
        if _taken(box):
            box[FAILED] = _begin(box[CALL], address)
            _release(box[FINISHED])


def once(notes: Array, image: Array, out: Array) -> None:
    """Do a call on this thread alone; `image` and `out` are bytes, `image` read-only. It needs no memory."""
    box = np.zeros(WORDS, np.int64)
    boxes = np.array([box.ctypes.data])
    serve(box.ctypes.data)  # returns at once, since there is no lock to wait for
    run(notes.ctypes.data, image, out, 0, 0, boxes.ctypes.data, 1)
