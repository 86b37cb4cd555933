"""Windows of 3 x 3 by tiles of 2 x 2 results: as transforms of the samples, sums over channels, and transforms back.

After A. Lavin and S. Gray, "Fast algorithms for convolutional neural networks" (2016), F(2x2, 3x3): 16 products for
each tile and channel instead of 36. The sums of some tiles stay in registers, one output in each lane, until they are
results; what is transformed is no more than lies in the first-level cache.
"""

# ruff: noqa: ARG001 (the arguments of an intrinsic are found again in what it generates)
from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils, types
from numpy.typing import NDArray

from service.engine.loops.compiler import compiled, intrinsic
from service.engine.loops.lanes import UINT8, VECTOR_BYTES, Lanes, next_piece
from service.engine.loops.mixing import Lines, Place, Weights, lanes_of, lay, smallest, store

Array = NDArray[Any]

TILES = 4 if VECTOR_BYTES == 64 else 3
"""Summed at once: four sums of each are in registers, and of one column of a tile two more that wait."""
SPAN_BYTES = 1024 + 64
"""From one place of the transformed samples to the next; not a power of two, or all would want the same part of a
cache."""
SPANS = 12
"""Places of a tile, of which the last column is the first one of the tile a pixel further."""


@intrinsic
def _analyse(typing: Any, source: Any, at: Any, pitch: Any, step: Any, count: Any, target: Any, place: Any) -> Any:
    """Transform `count` samples, and up to a vector more, of four rows that begin at source[at], `pitch` apart.

    Pixels are `step` samples apart. What comes of the pixel at s and the two behind it goes to target[place + s], for
    each column of a tile and row of it one span further. The second and third columns are those of a tile that begins
    a pixel before.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        def pointer(index: int, place: Any) -> Any:
            return builder.gep(
                context.make_array(signature.args[index])(context, builder, arguments[index]).data, [place]
            )

        lanes, integer = lanes_of(context, builder, signature), cgutils.intp_t
        _, at, pitch, step, count, _, place = arguments
        add, subtract, span = builder.fadd, builder.fsub, SPAN_BYTES // lanes.size
        rows = [pointer(0, builder.add(at, builder.mul(pitch, integer(i)))) for i in range(4)]
        spans = pointer(5, place)
        with cgutils.for_range_slice(builder, integer(0), count, integer(lanes.count), intp=integer) as (sample, _):
            pixels = []
            for k in range(3):
                there = builder.add(sample, builder.mul(step, integer(k)))
                d = [lanes.load(builder.gep(row, [there]), 0) for row in rows]
                pixels.append([subtract(d[0], d[2]), add(d[1], d[2]), subtract(d[2], d[1]), subtract(d[1], d[3])])
            for i, (x, y, z) in enumerate(zip(*pixels, strict=True)):
                for column, value in enumerate((subtract(x, z), add(x, y), subtract(y, x))):
                    lanes.store(value, builder.gep(spans, [builder.add(sample, integer((4 * column + i) * span))]))
        return context.get_dummy_value()

    i = types.intp
    return types.void(source, i, i, i, i, target, i), generate


def _column(lanes: Lanes, samples: Any, channels: Any, weights: Any, above: list[Any], below: list[Any]) -> None:
    """Add what a column of the places of TILES tiles gives to the upper result of each, and to the lower one."""
    builder, integer = lanes.builder, cgutils.intp_t
    beginnings = [(a, lanes.zero, lanes.zero, b) for a, b in zip(above, below, strict=True)]
    sums = [[cgutils.alloca_once_value(builder, each) for each in tile] for tile in beginnings]  # type: ignore[no-untyped-call]
    tiles = [builder.gep(samples, [builder.mul(channels, integer(2 * t))]) for t in range(TILES)]
    with cgutils.for_range(builder, channels, intp=integer) as loop:
        here = builder.gep(weights, [builder.mul(loop.index, integer(4 * lanes.count))])
        for i in range(4):
            factors = lanes.load(here, i)
            place = builder.add(loop.index, integer(i * (SPAN_BYTES // lanes.size)))
            for t in range(TILES):
                value = lanes.splat(builder.load(builder.gep(tiles[t], [place])))
                builder.store(lanes.add_product(builder.load(sums[t][i]), value, factors), sums[t][i])
    for t in range(TILES):
        a, b, c, d = (builder.load(each) for each in sums[t])
        above[t] = builder.fadd(a, builder.fadd(b, c))
        below[t] = builder.fadd(d, builder.fsub(b, c))


@intrinsic
def _mix(
    typing: Any,
    spectra: Any,
    at: Any,
    channels: Any,
    weights: Any,
    first: Any,
    bias: Any,
    lane: Any,
    sums: Any,
    before: Any,
    row: Any,
    beside: Any,
    more: Any,
    target: Any,
    place: Any,
    under: Any,
    whole: Any,
    streams: Any,
) -> Any:
    """Compute the results of TILES tiles side by side, a vector of outputs of each pixel.

    The transformed samples of the first one begin at spectra[at], `channels` of each pixel. The weights are those of
    the second column of places, the third, the first and the last; of each channel, four vectors. Lane i of a result is
    bias[lane + i] plus the sums, and with `more` plus those of other channels, sums[before + i] for the first pixel, at
    the next one `beside` further and below it `row`. It takes their place, or if it is `whole` goes to
    target[place + i], and below that `under` further. What `streams` passes by the caches, and stands at multiples of
    vectors. Which array it goes to is said so, since to choose between arrays costs a lock, which waits for all stores.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        def pointer(index: int, *places: Any) -> Any:
            base = context.make_array(signature.args[index])(context, builder, arguments[index]).data
            for place in places:
                base = builder.gep(base, [place])
            return base

        def column(number: int, pixels: Any, span: int, above: list[Any], below: list[Any]) -> None:
            samples = pointer(0, at, pixels, integer(4 * span * (SPAN_BYTES // lanes.size)))
            here = pointer(3, first, builder.mul(channels, integer(4 * lanes.count * number)))
            _column(lanes, samples, channels, here, above, below)

        def finish(right: int, upper: list[Any], lower: list[Any]) -> None:
            """Store the results of the left or the right pixels of the tiles."""
            pixels = [builder.mul(beside, integer(2 * t + right)) for t in range(TILES)]
            totals = [cgutils.alloca_once_value(builder, each) for each in (*upper, *lower)]  # type: ignore[no-untyped-call]
            with builder.if_then(more):
                for (down, pixel), total in zip(product((nothing, row), pixels), totals, strict=True):
                    there = lanes.load(pointer(7, before, down, pixel), 0)
                    builder.store(builder.fadd(builder.load(total), there), total)
            with builder.if_else(streams) as (stream, keep):
                for way, boundary in ((stream, VECTOR_BYTES), (keep, lanes.size)):
                    with way:
                        for (down, pixel), total in zip(product((nothing, step), pixels), totals, strict=True):
                            there = builder.gep(builder.gep(results, [down]), [pixel])
                            there = builder.bitcast(there, lanes.vector.as_pointer())
                            stored = builder.store(builder.load(total), there, align=boundary)
                            if way is stream:
                                stored.set_metadata("nontemporal", builder.module.add_metadata([ir.IntType(32)(1)]))

        lanes, integer = lanes_of(context, builder, signature), cgutils.intp_t
        _, at, channels, _, first, _, lane, _, before, row, beside, more, _, place, under, whole, streams = arguments
        nothing, added = integer(0), lanes.load(pointer(5, lane), 0)
        results = builder.select(whole, pointer(12, place), pointer(7, before))
        step = builder.select(whole, under, row)
        above, below = [added] * TILES, [added] * TILES
        others, of_others = [lanes.zero] * TILES, [lanes.zero] * TILES
        column(0, channels, 1, above, below)
        column(1, channels, 2, others, of_others)
        for one, other in ((above, others), (below, of_others)):
            for t in range(TILES):
                one[t], other[t] = builder.fadd(one[t], other[t]), builder.fsub(one[t], other[t])
        column(2, nothing, 0, above, below)
        finish(0, above, below)
        column(3, channels, 0, others, of_others)
        finish(1, others, of_others)
        return context.get_dummy_value()

    i, yes = types.intp, types.boolean
    return types.void(spectra, i, i, weights, i, bias, i, sums, i, i, i, yes, target, i, i, yes, yes), generate


@intrinsic
def _move(typing: Any, array: Any, source: Any, target: Any) -> Any:
    """Copy the vector at array[source] to array[target]."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        lanes = lanes_of(context, builder, signature)
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        lanes.store(lanes.load(builder.gep(data, [arguments[1]]), 0), builder.gep(data, [arguments[2]]))
        return context.get_dummy_value()

    return types.void(array, types.intp, types.intp), generate


@compiled
def _close_up(sums: Array, pixels: int, beside: int, outputs: int, lanes: int) -> None:
    """Move pixels that are `beside` apart, a multiple of `lanes`, until only their outputs are left."""
    for p in range(1, pixels):
        for lane in range(0, outputs, lanes):
            _move(sums, p * beside + lane, p * outputs + lane)


@compiled
def mix_tiles(
    source: Array,
    kind: int,
    lines: Lines,
    weights: Weights,
    part: int,
    place: Place,
    strips: int,
    counter: Array,
    strip: Array,
    spectra: Array,
    sums: Array,
) -> None:
    """Compute windows of 3 x 3 by tiles of 2 x 2 results.

    `weights` are those of `part` channels after those of others, in blocks of a vector of outputs, as `_mix` takes
    them. The lanes of a pixel are a multiple of a vector, and behind their biases there are as many zeros. Rows of
    tiles are cut into strips as the rows of `mix` are; a padded row is at least as wide as TILES tiles, and a vector
    may be read beyond the last one. `spectra` (SPANS * SPAN_BYTES) and `sums` (2, lanes of the pixels that are
    transformed at once) are scratch. All else is as for `mix`.
    """
    height, pitch, channels, width = len(place.out), strip.shape[1], lines.channels, place.width
    rows, lanes = (height + 1) // 2, VECTOR_BYTES // strip.itemsize
    flat, results = strip.reshape(-1), sums.reshape(-1)
    straight = place.out.reshape(-1).view(strip.dtype) if place.straight else results
    w, row, beside = weights.weights, sums.shape[1], len(weights.bias) // 2
    line = width * beside
    while True:
        # An atomic addition: what streams has arrived for all other threads when the last one is done.
        piece = next_piece(counter)
        if piece >= strips:
            break
        begin, end = rows * piece // strips, rows * (piece + 1) // strips
        for r in range((end - begin - 1) * lines.stride + lines.taps):
            lay(source, kind, lines, begin * lines.stride + r, strip[r])
        for y in range(begin, end):
            above = (y - begin) * lines.stride * pitch
            last = min(2, height - 2 * y)
            x = 0
            while x < width:
                # Tiles may begin at any pixel: the last ones end where the row does.
                pixels = min(row // beside, -(-(width - x) // (2 * TILES)) * 2 * TILES)
                x = max(0, min(x, width - pixels))
                whole = place.straight and last == 2 and pixels <= width
                first = 2 * y * line + x * beside
                for c in range(0, channels, part):
                    some = min(part, channels - c)
                    at = above + x * channels + c
                    if some == channels:
                        _analyse(flat, at, pitch, channels, pixels * channels, spectra, 0)
                    else:
                        for p in range(pixels):
                            _analyse(flat, at + p * channels, pitch, channels, some, spectra, p * some)
                    out = whole and c + some == channels
                    for lane in range(0, beside, lanes):
                        k, added = 16 * (c * beside + lane * some), lane if c == 0 else lane + beside
                        for p in range(0, pixels, 2 * TILES):
                            done = p * beside + lane
                            _mix(
                                spectra, p * some, some, w, k, weights.bias, added, results, done, row, beside, c > 0,
                                straight, first + done, line, out, out and place.streams,
                            )  # fmt: skip
                if not whole:
                    for i in range(last):
                        if beside != place.outputs:
                            _close_up(sums[i], pixels, beside, place.outputs, lanes)
                        store(sums[i], weights, place, 2 * y + i, x, min(pixels, width))
                x += pixels


def compile_for(number: type[np.floating[Any]]) -> None:
    """Call the loop with sums of type `number`."""
    source, lines, weights, place, zeros = smallest(number)
    counter, scratch = np.zeros(1, np.int64), np.zeros((2, len(zeros)), number)
    mix_tiles(source, UINT8, lines, weights, 1, place, 0, counter, scratch, zeros, scratch)
