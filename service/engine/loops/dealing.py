"""Samples dealt out to lanes, and brought back: lane i of a vector belongs to segment i of a row."""

from __future__ import annotations

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types

from service.engine.loops.compiler import intrinsic
from service.engine.loops.lanes import AS_SUMMED, FOUR, SAMPLES, UINT8, VECTOR_BYTES, Lanes, by_kind

SHARE = 16
"""Bytes of each segment that are dealt out to lanes, or brought back, at once."""

_INT32, _INT64 = ir.IntType(32), ir.IntType(64)


@intrinsic
def spread(
    typing: Any,  # noqa: ARG001 -- numba's interface
    line: Any,
    at: Any,
    starts: Any,
    kind: Any,
    numbers: Any,
    place: Any,
) -> Any:
    """Deal SHARE bytes of each segment out to lanes, as numbers.

    Segment i begins at sample `starts[i]` of `line` (bytes of samples of `kind`). Its samples from `at` on become
    lane i of the vectors of `numbers` from `place` on.
    """
    signature = types.void(line, at, starts, kind, numbers, place)

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        data = {i: context.make_array(signature.args[i])(context, builder, values[i]).data for i in (0, 2, 4)}
        number = context.get_value_type(signature.args[4].dtype)
        size = context.get_abi_sizeof(number)
        lanes = Lanes(builder, number, size, VECTOR_BYTES // size)
        at, kind, target = values[1], values[3], builder.gep(data[4], [values[5]])

        def of_kind(exponent: int) -> None:
            first = builder.gep(data[0], [builder.shl(at, _INT64(exponent))])
            some = ir.VectorType(SAMPLES[exponent], SHARE >> exponent)
            parts = []
            for lane in range(lanes.count):
                begin = builder.load(builder.gep(data[2], [_INT64(lane)]))
                place = builder.gep(first, [builder.shl(begin, _INT64(exponent))])
                parts.append([builder.load(builder.bitcast(place, some.as_pointer()), align=1)])
            for step, part in enumerate(_pieces(builder, transposed(builder, parts), lanes.count)):
                place = builder.gep(target, [_INT64(step * lanes.count)])
                vector = _as_number(lanes, part)
                builder.store(vector, builder.bitcast(place, vector.type.as_pointer()), align=size)

        by_kind(builder, kind, of_kind, AS_SUMMED)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def collect(
    typing: Any,  # noqa: ARG001 -- numba's interface
    vectors: Any,
    at: Any,
    starts: Any,
    kind: Any,
    out: Any,
    place: Any,
    like: Any,
) -> Any:
    """Bring lanes back to their segments, SHARE bytes of each: the inverse of `spread`, but for the numbers.

    Samples of `kind`, larger than a byte, stand in `vectors` (bytes), from sample `at` * lanes on; those of lane i come
    to samples `starts[i]` + `place`, ... of `out` (bytes). There are as many lanes as a vector has for the numbers of
    `like`.
    """
    signature = types.void(vectors, at, starts, kind, out, place, like)

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        data = {i: context.make_array(signature.args[i])(context, builder, values[i]).data for i in (0, 2, 4)}
        count = VECTOR_BYTES // context.get_abi_sizeof(context.get_value_type(signature.args[6].dtype))
        at, kind, to = values[1], values[3], values[5]

        def of_kind(exponent: int) -> None:
            if exponent == UINT8:
                return
            first = builder.gep(data[0], [builder.shl(builder.mul(at, _INT64(count)), _INT64(exponent))])
            some = ir.VectorType(SAMPLES[exponent], count)
            parts = []
            for step in range(SHARE >> exponent):
                place = builder.gep(first, [_INT64(step * count << exponent)])
                vector = builder.load(builder.bitcast(place, some.as_pointer()), align=1)
                parts.append(_pieces(builder, [vector], min(count, VECTOR_BYTES >> exponent)))
            for lane, part in enumerate(_pieces(builder, transposed(builder, parts), SHARE >> exponent)):
                begin = builder.add(builder.load(builder.gep(data[2], [_INT64(lane)])), to)
                place = builder.gep(data[4], [builder.shl(begin, _INT64(exponent))])
                builder.store(part, builder.bitcast(place, part.type.as_pointer()), align=1)

        by_kind(builder, kind, of_kind, AS_SUMMED)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def collect_bytes(
    typing: Any,  # noqa: ARG001 -- numba's interface
    vectors: Any,
    at: Any,
    starts: Any,
    out: Any,
    place: Any,
    pitch: Any,
    rows: Any,
    like: Any,
) -> Any:
    """Do the same for bytes of FOUR rows, of which only the first `rows` are stored, `pitch` bytes apart.

    They stand in SHARE vectors from byte `at` on: FOUR lanes of each row by turns.
    """
    signature = types.void(vectors, at, starts, out, place, pitch, rows, like)

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        data = {i: context.make_array(signature.args[i])(context, builder, values[i]).data for i in (0, 2, 3)}
        size = FOUR * VECTOR_BYTES // context.get_abi_sizeof(context.get_value_type(signature.args[7].dtype))
        first, some = builder.gep(data[0], [values[1]]), ir.VectorType(SAMPLES[UINT8], size)
        parts = []
        for step in range(SHARE):
            vector = builder.bitcast(builder.gep(first, [_INT64(step * size)]), some.as_pointer())
            parts.append([builder.load(vector, align=1)])
        # SHARE bytes of every vector make a matrix of their own: its columns come together.
        while len(parts) > 1:
            pairs = zip(parts[: len(parts) // 2], parts[len(parts) // 2 :], strict=True)
            parts = [[part for x, y in zip(*pair, strict=True) for part in _woven(builder, x, y)] for pair in pairs]
        to = builder.gep(data[3], [values[4]])
        for row in range(FOUR):
            with builder.if_then(builder.icmp_signed(">", values[6], _INT64(row))):
                line = builder.gep(to, [builder.mul(values[5], _INT64(row))])
                for lane in range(size // FOUR):
                    column, beside = parts[0][row * FOUR + lane % FOUR], lane // FOUR * SHARE
                    part = _shuffled(builder, column, column, list(range(beside, beside + SHARE)))
                    begin = builder.gep(line, [builder.load(builder.gep(data[2], [_INT64(lane)]))])
                    builder.store(part, builder.bitcast(begin, part.type.as_pointer()), align=1)
        return context.get_dummy_value()

    return signature, generate


def _woven(builder: Any, x: Any, y: Any) -> list[Any]:
    """Interleave the lower halves of each SHARE numbers of both, and the upper ones."""
    count, half = x.type.count, SHARE // 2
    return [
        _shuffled(
            builder,
            x,
            y,
            [n for first in range(begin, count, SHARE) for i in range(half) for n in (first + i, count + first + i)],
        )
        for begin in (0, half)
    ]


def transposed(builder: Any, rows: list[list[Any]]) -> list[Any]:
    """Transpose a matrix of 2**n rows, each in a few vectors: interleave rows half of it apart until one is left."""
    while len(rows) > 1:
        half = len(rows) // 2
        rows = [
            [part for x, y in zip(*pair, strict=True) for part in _interleaved(builder, x, y)]
            for pair in zip(rows[:half], rows[half:], strict=True)
        ]
    return rows[0]


def _interleaved(builder: Any, x: Any, y: Any) -> list[Any]:
    count = x.type.count
    order = [number for pair in zip(range(count), range(count, 2 * count), strict=True) for number in pair]
    size = {8: 1, 16: 2}.get(getattr(x.type.element, "width", 0)) or (4 if x.type.element == ir.FloatType() else 8)
    if 2 * count * size <= VECTOR_BYTES:
        return [_shuffled(builder, x, y, order)]
    return [_shuffled(builder, x, y, order[:count]), _shuffled(builder, x, y, order[count:])]


def _pieces(builder: Any, vectors: list[Any], count: int) -> list[Any]:
    """Cut or join vectors to some of `count` numbers."""
    if vectors[0].type.count == count:
        return vectors
    if vectors[0].type.count < count:
        pairs = zip(vectors[::2], vectors[1::2], strict=True)
        return _pieces(builder, [_shuffled(builder, x, y, list(range(2 * x.type.count))) for x, y in pairs], count)
    return [
        _shuffled(builder, vector, vector, list(range(first, first + count)))
        for vector in vectors
        for first in range(0, vector.type.count, count)
    ]


def _shuffled(builder: Any, x: Any, y: Any, order: list[int]) -> Any:
    return builder.shuffle_vector(x, y, ir.Constant(ir.VectorType(_INT32, len(order)), order))


def _as_number(lanes: Lanes, samples: Any) -> Any:
    builder, element = lanes.builder, samples.type.element
    if isinstance(element, ir.IntType):
        return builder.uitofp(samples, lanes.vector)
    if element == lanes.number:
        return samples
    convert = builder.fpext if lanes.number == ir.DoubleType() else builder.fptrunc
    return convert(samples, lanes.vector)
