"""Windows of 3 x 3 by tiles of 2 x 2 results: as transforms of the samples, sums over channels, and transforms back.

After A. Lavin and S. Gray, "Fast algorithms for convolutional neural networks" (2016), F(2x2, 3x3): 16 products for
each tile and channel instead of 36.
"""

# ruff: noqa: ARG001 (the arguments of an intrinsic are found again in what it generates)
from __future__ import annotations

from typing import Any

import numpy as np
from numba.core import cgutils, types
from numpy.typing import NDArray

from service.engine.loops.compiler import compiled, intrinsic
from service.engine.loops.lanes import UINT8, fetch, next_piece
from service.engine.loops.mixing import (
    FEW,
    MANY,
    Lines,
    Place,
    Weights,
    lanes_of,
    lay,
    smallest,
    store,
    sum_few,
    sum_many,
)

Array = NDArray[Any]


def _tile(rows: int, transform: Any) -> Any:
    """Make a loop that takes 4 x 4 vectors from one array and puts rows x rows into another, as `transform` says."""

    @intrinsic
    def tile(
        typing: Any,
        source: Any,
        at: Any,
        down: Any,
        across: Any,
        count: Any,
        bias: Any,
        target: Any,
        place: Any,
        under: Any,
        beside: Any,
    ) -> Any:
        """Transform `count` tiles at once, a number of each in each lane; `count` is a multiple of the lanes.

        Row i, column j is at source[at + i * down + j * across] and goes to target[place + i * under + j * beside],
        plus `bias`.
        """

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            def pointer(index: int, first: Any, vertical: Any, horizontal: Any, i: int, j: int) -> Any:
                data = context.make_array(signature.args[index])(context, builder, arguments[index]).data
                steps = builder.add(builder.mul(vertical, integer(i)), builder.mul(horizontal, integer(j)))
                return builder.gep(data, [builder.add(first, steps)])

            def loaded(address: Any, lane: Any) -> Any:
                return lanes.load(builder.gep(address, [lane]), 0)

            lanes, integer = lanes_of(context, builder, signature), cgutils.intp_t
            _, at, down, across, count, _, _, place, under, beside = arguments
            nothing = integer(0)
            sources = [[pointer(0, at, down, across, i, j) for j in range(4)] for i in range(4)]
            targets = [[pointer(6, place, under, beside, i, j) for j in range(rows)] for i in range(rows)]
            biases = pointer(5, nothing, nothing, nothing, 0, 0)
            with cgutils.for_range_slice(builder, nothing, count, integer(lanes.count), intp=integer) as (lane, _):
                columns = [transform(builder, [loaded(sources[i][j], lane) for i in range(4)]) for j in range(4)]
                added = loaded(biases, lane)
                for i in range(rows):
                    for j, value in enumerate(transform(builder, [column[i] for column in columns])):
                        result = builder.fadd(value, added) if rows < 4 else value
                        lanes.store(result, builder.gep(targets[i][j], [lane]))
            return context.get_dummy_value()

        i = types.intp
        return types.void(source, i, i, i, i, bias, target, i, i, i), generate

    return tile


def _analysed(builder: Any, d: list[Any]) -> list[Any]:
    add, subtract = builder.fadd, builder.fsub
    return [subtract(d[0], d[2]), add(d[1], d[2]), subtract(d[2], d[1]), subtract(d[1], d[3])]


def _synthesised(builder: Any, m: list[Any]) -> list[Any]:
    add, subtract = builder.fadd, builder.fsub
    return [add(add(m[0], m[1]), m[2]), subtract(subtract(m[1], m[2]), m[3])]


_analyse, _synthesise = _tile(4, _analysed), _tile(2, _synthesised)


@compiled
def mix_tiles(
    source: Array,
    kind: int,
    lines: Lines,
    weights: Weights,
    nothing: Array,
    place: Place,
    strips: int,
    counter: Array,
    strip: Array,
    spectra: Array,
    products: Array,
    sums: Array,
) -> None:
    """Compute windows of 3 x 3 by tiles of 2 x 2 results.

    `weights` are those of each of the 16 places of a tile, one after another; `nothing` is as many zeros as there are
    outputs. Rows of tiles are cut into strips as the rows of `mix` are. `spectra` (16, at least MANY * channels),
    `products` (16, at least MANY * outputs) and `sums` (2, 2 * MANY * outputs) are scratch. All else is as for `mix`.
    """
    height, pitch, channels, outputs = len(place.out), strip.shape[1], lines.channels, place.outputs
    rows, tiles = (height + 1) // 2, (place.width + 1) // 2
    flat, analysed, mixed, results = strip.reshape(-1), spectra.reshape(-1), products.reshape(-1), sums.reshape(-1)
    straight = place.out.reshape(-1).view(strip.dtype) if place.straight else results
    blocks, size = weights.blocks, len(weights.weights) // 16
    apart, beside, bytes_each = spectra.shape[1], products.shape[1], 1 << place.kind
    while True:
        piece = next_piece(counter)
        if piece >= strips:
            break
        begin, end = rows * piece // strips, rows * (piece + 1) // strips
        for r in range((end - begin - 1) * lines.stride + lines.taps):
            lay(source, kind, lines, begin * lines.stride + r, strip[r])
        for y in range(begin, end):
            for first in range(0, tiles, MANY):
                count = min(MANY, tiles - first)
                for t in range(count):
                    at = (y - begin) * lines.stride * pitch + 2 * (first + t) * channels
                    _analyse(flat, at, pitch, channels, channels, nothing, analysed, t * channels, 4 * apart, apart)
                pixels, last = min(2 * count, place.width - 2 * first), min(2, height - 2 * y)
                line, lines_of_part = 2 * first * outputs * bytes_each, pixels * outputs * bytes_each // 16 // 64 + 1
                for part in range(16):
                    for i in range(last):
                        for k in range(lines_of_part * part, lines_of_part * (part + 1)):
                            fetch(place.out[2 * y + i], line + 64 * k, 0, 2)
                    x, at = part * apart, part * beside
                    for b in range(len(blocks)):
                        k, lane = part * size + blocks[b, 2], blocks[b, 3]
                        if count > 2 * FEW:
                            sum_many(
                                analysed, x, channels, weights.offsets, weights.weights, k,
                                nothing, lane, mixed, at + lane, outputs,
                            )  # fmt: skip
                        else:
                            for t in range(0, count, FEW):
                                sum_few(
                                    analysed, x + t * channels, channels, weights.offsets, weights.weights, k,
                                    nothing, lane, mixed, at + t * outputs + lane, outputs,
                                )  # fmt: skip
                whole = place.straight and last == 2 and pixels == 2 * count
                target, under = (straight, place.width * outputs) if whole else (results, sums.shape[1])
                x = 2 * (y * under + first * outputs) if whole else 0
                for t in range(count):
                    _synthesise(
                        mixed, t * outputs, 4 * beside, beside, outputs, weights.bias,
                        target, x + 2 * t * outputs, under, outputs,
                    )  # fmt: skip
                for i in range(0 if whole else last):
                    store(sums[i], weights, place, 2 * y + i, 2 * first, pixels)


def warm() -> None:
    """Compile for both types of sums."""
    for number in (np.float32, np.float64):
        source, lines, weights, place, zeros = smallest(number)
        counter, scratch = np.zeros(1, np.int64), np.zeros((16, 2 * len(zeros)), number)
        mix_tiles(source, UINT8, lines, weights, zeros, place, 0, counter, scratch, scratch, scratch, scratch)
