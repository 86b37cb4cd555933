"""Lanes filled, taken apart, put together and rearranged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types

from service.engine.loops.compiler import LEVEL
from service.engine.loops.vectors.kinds import INT64, Vector, call, filled, literal, named, operation, shuffle

TABLE = 16
"""Bytes that are looked up in."""
SINGLE = 4


@operation
def splat(number: Any, lanes: Any) -> Any:
    """Fill `lanes` lanes with a number, whose type is that of the lanes."""
    if literal(lanes) < 1 or not isinstance(number, types.Float | types.Integer):
        return None
    kind = Vector(types.unliteral(number), literal(lanes))  # type: ignore[no-untyped-call]
    return kind, lambda builder, value, _: filled(builder, kind, value)


@operation
def zeros(dtype: Any, lanes: Any) -> Any:
    """Give `lanes` zeros of type `dtype`."""
    if named(dtype) is None or literal(lanes) < 1:
        return None
    kind = Vector(named(dtype), literal(lanes))
    return kind, lambda *_: kind.constant(0)


@operation
def splat_as(dtype: Any, number: Any, lanes: Any) -> Any:
    """Fill `lanes` lanes of integers of type `dtype` with the low bits of an integer."""
    if named(dtype) is None or literal(lanes) < 1 or not isinstance(number, types.Integer):
        return None
    kind = Vector(named(dtype), literal(lanes))
    return (kind, lambda builder, _dtype, value, _: filled(builder, kind, value)) if kind.whole else None


@operation
def splat_like(vector: Any, number: Any) -> Any:
    """Fill as many lanes as `vector` has with a number, as one of its type: of an integer the low bits."""
    if not isinstance(vector, Vector) or not isinstance(number, types.Float if vector.real else types.Integer):
        return None

    def build(builder: Any, _: Any, value: Any) -> Any:
        own = vector.code.element
        if own != value.type:
            widened = vector.real and vector.size > SINGLE
            narrowed = builder.fptrunc if vector.real else builder.trunc
            value = builder.fpext(value, own) if widened else narrowed(value, own)
        return filled(builder, vector, value)

    return vector, build


@operation
def look_up(table: Any, places: Any) -> Any:
    """Give the bytes of `table` at `places`, and 0 where a place is 128 or more; both are vectors of 16 bytes.

    A place from 16 to 127 gives what differs between processors.
    """
    if not isinstance(table, Vector) or (table.dtype, table.lanes) != (types.uint8, TABLE) or places != table:
        return None
    name = "llvm.aarch64.neon.tbl1.v16i8" if LEVEL == "aarch64" else "llvm.x86.ssse3.pshuf.b.128"
    return table, lambda builder, *values: call(builder, name, table.code, values)


@operation
def lanes_of(array: Any, size: Any) -> Any:
    """Give as a literal how many numbers of an array fill `size` bytes: the lanes of a loop for several types."""
    if not isinstance(array, types.Array) or literal(size) < 1:
        return None
    count = literal(size) * 8 // int(array.dtype.bitwidth)
    return types.IntegerLiteral(count), lambda *_: INT64(count)


@operation
def lane(vector: Any, number: Any) -> Any:  # noqa: ARG001
    """Give one lane."""
    if not isinstance(vector, Vector):
        return None
    return vector.dtype, lambda builder, value, place: builder.extract_element(value, place)


def arrange(order: Callable[[int], Sequence[int]]) -> Any:
    """Make an operation that gives lanes `order(lanes)` of a vector, as many as these are; -1 gives 0."""

    def arranged(vector: Any) -> Any:
        if not isinstance(vector, Vector):
            return None
        places = [place if place >= 0 else vector.lanes for place in order(vector.lanes)]

        def build(builder: Any, value: Any) -> Any:
            return shuffle(builder, value, vector.constant(0), places)

        return Vector(vector.dtype, len(places)), build

    return operation(arranged)


low = arrange(lambda lanes: range(lanes // 2))
"""Give the first half of the lanes."""
high = arrange(lambda lanes: range(lanes // 2, lanes))
"""Give the second half of the lanes."""


def rearrange(order: Callable[[int, int], Sequence[int]], *, whole: bool = False) -> Any:
    """Make an operation that takes a tuple of vectors as one, rearranges it, and gives as many again, or the `whole`.

    `order` takes the number of vectors and that of their lanes, and says which number comes to each place.
    """

    def rearranged(vectors: Any) -> Any:
        if not isinstance(vectors, types.UniTuple) or not isinstance(vectors.dtype, Vector):
            return None
        kind, count = vectors.dtype, vectors.count
        places = order(count, kind.lanes)

        def build(builder: Any, values: Any) -> Any:
            joined = _joined(builder, values)
            if whole:
                return shuffle(builder, joined, joined, places)
            parts = [places[begin : begin + kind.lanes] for begin in range(0, len(places), kind.lanes)]
            return [shuffle(builder, joined, joined, part) for part in parts]

        return Vector(kind.dtype, count * kind.lanes) if whole else vectors, build

    return operation(rearranged)


def _joined(builder: Any, vectors: Sequence[Any]) -> Any:
    """Put vectors of one type after one another, and perhaps some undefined numbers behind."""
    parts = list(vectors)
    while len(parts) > 1:
        if len(parts) % 2:
            parts.append(ir.Constant(parts[0].type, ir.Undefined))
        pairs = zip(parts[::2], parts[1::2], strict=True)
        parts = [shuffle(builder, x, y, range(2 * x.type.count)) for x, y in pairs]
    return parts[0]


join = rearrange(lambda count, lanes: range(count * lanes), whole=True)
"""Put the vectors of a tuple after one another into one."""
weave = rearrange(lambda count, lanes: [part * lanes + i for i in range(lanes) for part in range(count)])
"""Interleave the vectors of a tuple: lane 0 of each, then lane 1 of each ... Gives as many vectors."""
unweave = rearrange(lambda count, lanes: [i * count + part for part in range(count) for i in range(lanes)])
"""Deal numbers that are interleaved in a tuple of vectors out to as many planes: the inverse of `weave`."""


@operation
def transpose(rows: Any) -> Any:
    """Exchange rows and lanes of a tuple of as many vectors as they have lanes, a power of two."""
    if not isinstance(rows, types.UniTuple) or not isinstance(rows.dtype, Vector) or rows.count != rows.dtype.lanes:
        return None
    order = [place for pair in zip(range(rows.count), range(rows.count, 2 * rows.count), strict=True) for place in pair]
    lower, upper = order[: rows.count], order[rows.count :]

    def build(builder: Any, values: Any) -> Any:
        # To interleave rows half of the square apart, as often as it can be halved, is to transpose it.
        for _ in range(rows.count.bit_length() - 1):
            pairs = list(zip(values[: rows.count // 2], values[rows.count // 2 :], strict=True))
            values = [shuffle(builder, x, y, places) for x, y in pairs for places in (lower, upper)]
        return values

    return rows, build
