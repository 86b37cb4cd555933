"""Vectors from memory and to it."""

from __future__ import annotations

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils

from service.engine.loops.vectors.kinds import (
    INT1,
    INT8,
    INT32,
    INT64,
    Vector,
    call,
    is_flat,
    literal,
    named,
    operation,
)


def _vector_at(builder: Any, data: Any, place: Any, kind: Vector) -> Any:
    """Point to a vector that begins at number `place` of `data`."""
    return builder.bitcast(builder.gep(data, [place], inbounds=True), kind.code.as_pointer())


def _stored(builder: Any, data: Any, place: Any, kind: Vector, value: Any, align: int) -> Any:
    return builder.store(value, _vector_at(builder, data, place, kind), align=align)


@operation
def load(array: Any, place: Any, lanes: Any) -> Any:  # noqa: ARG001
    """Load `lanes` numbers from `place` on of a flat array."""
    if not is_flat(array) or literal(lanes) < 1:
        return None
    kind = Vector(array.dtype, literal(lanes))

    def build(builder: Any, data: Any, place: Any, _: Any) -> Any:
        return builder.load(_vector_at(builder, data, place, kind), align=kind.size)

    return kind, build


@operation
def item(array: Any, place: Any) -> Any:  # noqa: ARG001
    """Give number `place` of a flat array without asking, as `array[place]` does, whether that is negative."""
    if not is_flat(array) or not isinstance(array.dtype, types.Number):
        return None
    return array.dtype, lambda builder, data, place: builder.load(builder.gep(data, [place], inbounds=True))


@operation
def load_each(array: Any, place: Any, apart: Any, count: Any, lanes: Any) -> Any:  # noqa: ARG001
    """Load a tuple of `count` vectors: from `place` on, from `apart` numbers further on ..."""
    if not is_flat(array) or literal(count) < 1 or literal(lanes) < 1:
        return None
    kind = Vector(array.dtype, literal(lanes))

    def build(builder: Any, data: Any, place: Any, apart: Any, *_: Any) -> Any:
        places = _apart(builder, place, apart, literal(count))
        return [builder.load(_vector_at(builder, data, at, kind), align=kind.size) for at in places]

    return types.UniTuple(kind, literal(count)), build  # type: ignore[no-untyped-call]


@operation
def store_each(array: Any, place: Any, apart: Any, vectors: Any) -> Any:  # noqa: ARG001
    """Store the vectors of a tuple: from `place` on, from `apart` numbers further on ..."""
    if not isinstance(vectors, types.UniTuple) or not _fits(array, vectors.dtype):
        return None

    def build(builder: Any, data: Any, place: Any, apart: Any, values: Any) -> None:
        for at, value in zip(_apart(builder, place, apart, vectors.count), values, strict=True):
            _stored(builder, data, at, vectors.dtype, value, array.dtype.bitwidth // 8)

    return None, build


def _apart(builder: Any, place: Any, apart: Any, count: int) -> list[Any]:
    return [builder.add(place, builder.mul(apart, INT64(i))) for i in range(count)]


@operation
def load_rows(array: Any, base: Any, places: Any, first: Any, lanes: Any) -> Any:  # noqa: ARG001
    """Load as many vectors as they have lanes, from `base` + places[first] on, `base` + places[first + 1] ..."""
    if not is_flat(array) or not is_flat(places, types.int64) or literal(lanes) < 1:
        return None
    kind = Vector(array.dtype, literal(lanes))

    def build(builder: Any, data: Any, base: Any, table: Any, first: Any, _: Any) -> Any:
        return [
            builder.load(_vector_at(builder, data, at, kind), align=kind.size)
            for at in _listed(builder, base, table, first, kind.lanes)
        ]

    return types.UniTuple(kind, kind.lanes), build  # type: ignore[no-untyped-call]


@operation
def store_rows(array: Any, base: Any, places: Any, first: Any, vectors: Any) -> Any:  # noqa: ARG001
    """Store the vectors of a tuple from `base` + places[first] on, `base` + places[first + 1] ..."""
    if not isinstance(vectors, types.UniTuple) or not _fits(array, vectors.dtype) or not is_flat(places, types.int64):
        return None

    def build(builder: Any, data: Any, base: Any, table: Any, first: Any, values: Any) -> None:
        for at, value in zip(_listed(builder, base, table, first, vectors.count), values, strict=True):
            _stored(builder, data, at, vectors.dtype, value, array.dtype.bitwidth // 8)

    return None, build


@operation
def gather(dtype: Any, array: Any, base: Any, places: Any, lanes: Any) -> Any:  # noqa: ARG001
    """Load numbers of `dtype` from a flat array of bytes into `lanes` lanes: lane i from byte `base` + places[i] on."""
    if named(dtype) is None or not is_flat(array, types.uint8) or not is_flat(places, types.int64):
        return None
    kind, one = Vector(named(dtype), literal(lanes)), Vector(named(dtype), 1)
    if kind.lanes < 1:
        return None

    def build(builder: Any, _dtype: Any, data: Any, base: Any, table: Any, _: Any) -> Any:
        vector = ir.Constant(kind.code, ir.Undefined)
        for i, at in enumerate(_listed(builder, base, table, INT64(0), kind.lanes)):
            number = builder.load(_vector_at(builder, data, at, one), align=1)
            vector = builder.insert_element(vector, builder.extract_element(number, INT32(0)), INT32(i))
        return vector

    return kind, build


@operation
def scatter(array: Any, base: Any, places: Any, vector: Any) -> Any:  # noqa: ARG001
    """Store lanes into a flat array of bytes: lane i from byte `base` + places[i] on."""
    if not is_flat(array, types.uint8) or not is_flat(places, types.int64) or not isinstance(vector, Vector):
        return None

    def build(builder: Any, data: Any, base: Any, table: Any, value: Any) -> None:
        for i, at in enumerate(_listed(builder, base, table, INT64(0), vector.lanes)):
            number = builder.extract_element(value, INT32(i))
            pointer = builder.bitcast(builder.gep(data, [at]), number.type.as_pointer())
            builder.store(number, pointer, align=1)

    return None, build


def _listed(builder: Any, base: Any, table: Any, first: Any, count: int) -> list[Any]:
    """Add to `base` so many numbers of a table from `first` on."""
    own = builder.gep(table, [first])
    return [builder.add(base, builder.load(builder.gep(own, [INT64(i)]))) for i in range(count)]


@operation
def load_as(dtype: Any, array: Any, byte: Any, lanes: Any) -> Any:  # noqa: ARG001
    """Load `lanes` numbers of `dtype` from `byte` on of a flat array of bytes."""
    if named(dtype) is None or not is_flat(array, types.uint8) or literal(lanes) < 1:
        return None
    kind = Vector(named(dtype), literal(lanes))

    def build(builder: Any, _dtype: Any, data: Any, byte: Any, _: Any) -> Any:
        return builder.load(_vector_at(builder, data, byte, kind), align=1)

    return kind, build


@operation
def store(array: Any, place: Any, vector: Any) -> Any:  # noqa: ARG001
    """Store a vector from `place` on of a flat array of its own type, or of bytes."""
    if not _fits(array, vector):
        return None

    def build(builder: Any, data: Any, place: Any, value: Any) -> None:
        _stored(builder, data, place, vector, value, array.dtype.bitwidth // 8)

    return None, build


def _fits(array: Any, vector: Any) -> bool:
    return isinstance(vector, Vector) and is_flat(array, vector.dtype, types.uint8)


@operation
def stream(array: Any, place: Any, vector: Any) -> Any:  # noqa: ARG001
    """Store a vector past the caches. Its address must be a multiple of its size."""
    if not _fits(array, vector):
        return None

    def build(builder: Any, data: Any, place: Any, value: Any) -> None:
        put = _stored(builder, data, place, vector, value, vector.lanes * vector.size)
        put.set_metadata("nontemporal", builder.module.add_metadata([INT32(1)]))

    return None, build


@operation
def load_part_as(dtype: Any, array: Any, byte: Any, count: Any, lanes: Any) -> Any:  # noqa: ARG001
    """Load `count` numbers of `dtype`, at most `lanes`, from `byte` on of a flat array of bytes, and touch none behind.

    The lanes left over are 0.
    """
    if named(dtype) is None or not is_flat(array, types.uint8) or literal(lanes) < 1:
        return None
    kind = Vector(named(dtype), literal(lanes))

    def build(builder: Any, _dtype: Any, data: Any, byte: Any, count: Any, _: Any) -> Any:
        room = cgutils.alloca_once(builder, kind.code)  # type: ignore[no-untyped-call]
        builder.store(kind.constant(0), room)
        _copy(builder, room, builder.gep(data, [byte]), count, kind)
        return builder.load(room)

    return kind, build


def _copy(builder: Any, target: Any, source: Any, count: Any, kind: Vector) -> None:
    pointers = [builder.bitcast(pointer, INT8.as_pointer()) for pointer in (target, source)]
    size = builder.mul(count, INT64(kind.size))
    call(builder, "llvm.memcpy.p0.p0.i64", ir.VoidType(), [*pointers, size, INT1(0)])


@operation
def store_part(array: Any, place: Any, vector: Any, count: Any) -> Any:  # noqa: ARG001
    """Store the first `count` lanes, and touch nothing behind them."""
    if not _fits(array, vector):
        return None

    def build(builder: Any, data: Any, place: Any, value: Any, count: Any) -> None:
        room = cgutils.alloca_once(builder, vector.code)  # type: ignore[no-untyped-call]
        builder.store(value, room)
        _copy(builder, builder.gep(data, [place]), room, count, vector)

    return None, build


@operation
def prefetch(array: Any, place: Any, write: Any, closeness: Any) -> Any:  # noqa: ARG001
    """Have the line at `place` come near, to be written where `write` is 1; there need not be any memory.

    `closeness` 3 is the first-level cache, 2 the second. Both are literals.
    """
    parameters = literal(write), literal(closeness), 1
    if min(parameters) < 0:
        return None

    def build(builder: Any, data: Any, place: Any, *_: Any) -> None:
        pointer = builder.bitcast(builder.gep(data, [place]), INT8.as_pointer())
        call(builder, "llvm.prefetch.p0", ir.VoidType(), [pointer, *map(INT32, parameters)])

    return None, build


@operation
def next_piece(counter: Any) -> Any:
    """Give `counter[0]` (int64) and add 1 to it, in one step for all threads."""
    if not is_flat(counter, types.int64):
        return None
    return types.int64, lambda builder, data: builder.atomic_rmw("add", data, INT64(1), "monotonic")
