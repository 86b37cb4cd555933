"""Sums over the three channels of a pixel, as floats: colours made gray, or turned into other colours.

Lanes are pixels here, and what the distance between samples asks for are shuffles. They are written in LLVM's terms:
the vectoriser makes bytes of three channels floats by way of 16 bits, and wants a loop of its own to round.
"""

# ruff: noqa: ARG001 (the arguments of an intrinsic are found again in what it generates)
from __future__ import annotations

from itertools import product
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils, types
from numpy.typing import NDArray

from service.engine.loops.calls import IMAGE, OUT, bytes_at, counter_at, noted, once
from service.engine.loops.compiler import compiled, intrinsic
from service.engine.loops.lanes import (
    FLOAT64,
    FOUR,
    SAMPLES,
    UINT8,
    UINT16,
    Lanes,
    as_bytes,
    as_kind,
    by_kind,
    next_piece,
    prefetch,
)

Array = NDArray[Any]

CHANNELS = 3
PIECE = 1 << 15
"""Pixels that a thread takes at once."""
LANES = 16
"""Pixels in a vector."""
LOAD = 64
"""Samples that are read for them, of which they are 48."""
VECTORS = 4
"""Worked on at once: to ask for each what kinds of samples there are took up to a sixth of the time."""
TOGETHER = VECTORS * LANES
REACH = (VECTORS - 1) * LANES * CHANNELS + LOAD
"""Samples that are read for all of them."""

CACHE_LINE = 64
READ_AHEAD, WRITE_AHEAD = 4096, 2048
"""Bytes that are fetched beforehand: what the processor itself fetches ends with a page."""

_INT, _WHOLE, _REAL = cgutils.intp_t, cgutils.int32_t, ir.FloatType()
_FLOATS, _WHOLES = ir.VectorType(_REAL, LANES), ir.VectorType(_WHOLE, LANES)


def _places(places: list[int]) -> Any:
    return ir.Constant(ir.VectorType(_WHOLE, len(places)), [_WHOLE(place) for place in places])


def _channels(builder: Any, samples: Any) -> list[Any]:
    """Make every third sample a float, and so the next ones. Of bytes, channel c is 256**c times too large.

    Bytes of a pixel are widened to a number of 32 bits all together, since masks cost less than shuffles.
    """
    kind, nothing = samples.type.element, ir.Constant(samples.type, None)
    if kind == SAMPLES[UINT8]:
        places = [place for i in range(LANES) for place in (*range(CHANNELS * i, CHANNELS * (i + 1)), LOAD)]
        pixels = builder.bitcast(builder.shuffle_vector(samples, nothing, _places(places)), _WHOLES)
        masks = [ir.Constant(_WHOLES, [_WHOLE(255 << 8 * c)] * LANES) for c in range(CHANNELS)]
        return [builder.sitofp(builder.and_(pixels, mask), _FLOATS) for mask in masks]
    parts = 2 if kind == SAMPLES[UINT16] else 1
    widths = [[place for i in range(LANES) for place in (CHANNELS * i + c, LOAD)[:parts]] for c in range(CHANNELS)]
    collected = [builder.shuffle_vector(samples, nothing, _places(places)) for places in widths]
    if kind == _REAL:
        return collected
    return [builder.sitofp(builder.bitcast(channel, _WHOLES), _FLOATS) for channel in collected]


def _beside(builder: Any, rows: list[Any]) -> Any:
    """Put the first of each row first, then the second of each; of one or three rows."""
    if len(rows) == 1:
        return rows[0]
    first = builder.shuffle_vector(rows[0], rows[1], _places(list(range(2 * LANES))))
    last = builder.shuffle_vector(rows[2], rows[2], _places(list(range(2 * LANES))))
    return builder.shuffle_vector(first, last, _places([row * LANES + i for i in range(LANES) for row in range(3)]))


def _vector(builder: Any, start: Any, kind: int, first: int, size: int) -> Any:
    """Point to `size` samples of `kind` from the `first` on."""
    place = builder.gep(start, [_INT(first << kind)])
    return builder.bitcast(place, ir.VectorType(SAMPLES[kind], size).as_pointer())


def _load(builder: Any, start: Any, kind: Any) -> list[Any]:
    """Give the channels of the first vector of pixels from `start` on, then those of the next ones."""
    ways: list[tuple[list[Any], Any]] = []

    def load(kind: int) -> None:
        places = [_vector(builder, start, kind, LANES * CHANNELS * v, LOAD) for v in range(VECTORS)]
        samples = [builder.load(place, align=1) for place in places]
        ways.append(([value for some in samples for value in _channels(builder, some)], builder.block))

    by_kind(builder, kind, load, FLOAT64)
    channels = [builder.phi(_FLOATS) for _ in range(VECTORS * CHANNELS)]
    for values, block in ways:
        for channel, value in zip(channels, values, strict=True):
            channel.add_incoming(value, block)
    return channels


def _store(lanes: Lanes, results: list[Any], outputs: int, high: Any, start: Any, kind: Any) -> None:
    builder = lanes.builder

    def store(kind: int) -> None:
        if kind == UINT8 and outputs == 1:
            some = as_bytes(lanes, results, high)
            order = [LANES * (i // FOUR) + i % FOUR + FOUR * row for row in range(VECTORS) for i in range(LANES)]
            builder.store(
                builder.shuffle_vector(some, some, _places(order)), _vector(builder, start, kind, 0, TOGETHER), align=1
            )
            return
        samples = [as_kind(lanes, result, kind, high) for result in results]
        for first in range(0, len(samples), outputs):
            some = _beside(builder, samples[first : first + outputs])
            builder.store(some, _vector(builder, start, kind, LANES * first, LANES * outputs), align=1)

    by_kind(builder, kind, store, FLOAT64)


def _sum(lanes: Lanes, channels: list[Any], weights: list[Any], start: Any) -> Any:
    for channel, weight in zip(channels, weights, strict=True):
        start = lanes.add_product(start, channel, weight)
    return start


def _over(lanes: Lanes, totals: list[Any], divisor: Any, biases: list[Any]) -> list[Any]:
    """Divide and add the biases, where there is something to divide by; else they are in the sums."""
    builder, entry, common = lanes.builder, lanes.builder.block, lanes.splat(divisor)
    with builder.if_then(builder.fcmp_unordered("!=", divisor, _REAL(1.0))):
        quotients = [
            builder.fadd(builder.fdiv(total, common), bias) for total, bias in zip(totals, biases, strict=True)
        ]
        block = builder.block
    results = [builder.phi(_FLOATS) for _ in totals]
    for result, total, quotient in zip(results, totals, quotients, strict=True):
        result.add_incoming(total, entry)
        result.add_incoming(quotient, block)
    return results


def _sums(outputs: int) -> Any:
    """Make the loop for `outputs` channels."""

    @intrinsic
    def sums(
        typing: Any,
        source: Any,
        kind: Any,
        weights: Any,
        divisor: Any,
        bias: Any,
        high: Any,
        out: Any,
        out_kind: Any,
        begin: Any,
        count: Any,
    ) -> Any:
        """Recolour `count` pixels from pixel `begin` on, as `recolour` does."""

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            def data(index: int) -> Any:
                return context.make_array(signature.args[index])(context, builder, arguments[index]).data

            def numbers(index: int, count: int) -> list[Any]:
                return [builder.load(builder.gep(data(index), [_INT(i)])) for i in range(count)]

            def size(pixels: Any, channels: int, kind: Any) -> Any:
                return builder.shl(builder.mul(pixels, _INT(channels)), kind)

            def copy(target: Any, start: Any, size: Any) -> None:
                cgutils.raw_memcpy(builder, target, start, size, 1)  # type: ignore[no-untyped-call]

            lanes = Lanes(builder, _REAL, 4, LANES)
            _, kind, _, divisor, _, high, _, out_kind, begin, count = arguments
            whole = builder.icmp_signed("==", kind, _INT(UINT8))
            scales = [builder.select(whole, _REAL(256.0**-c), _REAL(1.0)) for c in range(CHANNELS)] * outputs
            scaled = map(builder.fmul, numbers(2, outputs * CHANNELS), scales)
            weights, biases, highest = (
                [lanes.splat(number) for number in some] for some in (scaled, numbers(4, outputs), [high])
            )
            whole_sums = builder.fcmp_unordered("==", divisor, _REAL(1.0))
            starts = [builder.select(whole_sums, bias, lanes.zero) for bias in biases]
            room = cgutils.alloca_once_value(builder, ir.Constant(ir.ArrayType(_REAL, REACH), None))  # type: ignore[no-untyped-call]
            spare = builder.bitcast(room, cgutils.voidptr_t)
            with cgutils.for_range_slice(builder, _INT(0), count, _INT(TOGETHER), intp=_INT) as (pixel, _):
                first, left = builder.add(begin, pixel), builder.sub(count, pixel)
                start = builder.gep(data(0), [size(first, CHANNELS, kind)])
                # Beyond the last pixels there may be no memory to read, nor any of this image to write.
                beyond = builder.icmp_signed("<", builder.mul(left, _INT(CHANNELS)), _INT(REACH))
                with builder.if_then(beyond, likely=False):
                    copy(spare, start, size(left, CHANNELS, kind))
                for line in range(0, TOGETHER * CHANNELS, CACHE_LINE):
                    prefetch(builder, builder.gep(start, [_INT(READ_AHEAD + line)]), 0, 3)
                channels = _load(builder, builder.select(beyond, spare, start), kind)
                totals = [
                    _sum(lanes, channels[v : v + CHANNELS], weights[CHANNELS * o : CHANNELS * (o + 1)], starts[o])
                    for v, o in product(range(0, len(channels), CHANNELS), range(outputs))
                ]
                results = _over(lanes, totals, divisor, biases * VECTORS)

                start = builder.gep(data(6), [size(first, outputs, out_kind)])
                for line in range(0, TOGETHER * outputs, CACHE_LINE):
                    prefetch(builder, builder.gep(start, [_INT(WRITE_AHEAD + line)]), 1, 3)
                fewer = builder.icmp_signed("<", left, _INT(TOGETHER))
                _store(lanes, results, outputs, highest[0], builder.select(fewer, spare, start), out_kind)
                with builder.if_then(fewer, likely=False):
                    copy(start, spare, size(left, outputs, out_kind))
            return context.get_dummy_value()

        i, number = types.intp, types.float32
        return types.void(source, i, weights, number, bias, number, out, i, i, i), generate

    return sums


_one, _three = _sums(1), _sums(3)


class Colours(NamedTuple):
    """What becomes of `pixels` pixels of three samples of `kind`, no float64, as `out_kind`.

    `weights` is (outputs, 3), for 1 or 3 outputs; `bias` is added to the sums over `divisor`. What is rounded is
    clipped to 0..high.
    """

    pixels: int
    kind: int
    weights: Array
    divisor: Any
    bias: Array
    high: Any
    out_kind: int


@compiled
def recolour(given: Array, colours: Colours) -> None:
    """Make PIECE pixels of those at the addresses that are `given`, as long as the counter has not passed the last."""
    pixels, kind, weights, divisor, bias, high, out_kind = colours
    outputs, w = len(weights), weights.reshape(-1)
    source = bytes_at(given[IMAGE], (pixels * CHANNELS << kind,))
    out = bytes_at(given[OUT], (pixels * outputs << out_kind,))
    counter = counter_at(given)
    while True:
        begin = next_piece(counter) * PIECE
        if begin >= pixels:
            break
        count = min(PIECE, pixels - begin)
        if outputs == 1:
            _one(source, kind, w, divisor, bias, high, out, out_kind, begin, count)
        else:
            _three(source, kind, w, divisor, bias, high, out, out_kind, begin, count)


def warm() -> None:
    source, one, few = np.zeros(3, np.uint8), np.float32(1), np.zeros((1, CHANNELS), np.float32)
    source.flags.writeable = False
    once(noted(recolour, Colours(1, UINT8, few, one, few[0], one, UINT8)), source, np.zeros(1, np.uint8))
