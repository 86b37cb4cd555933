"""Convolution of pictures by spectra, tile by tile: the loop beneath fft.

Two tiles make one of complex numbers, as real and imaginary parts. The kernel is real, so that they never mix: what
comes back as real part is the one result, as imaginary part the other, and no spectrum is ever taken apart.

A tile is transformed down its columns first, LANES of them at once, as they stand in the picture: with the samples of a
pixel side by side. Transposed they are dealt out to channels, transformed along, multiplied, transformed back, and the
other transposition weaves them again. A block of columns or rows stays in the first-level cache for all its passes, a
tile in the second.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.engine.loops.compiler import compiled
from service.engine.loops.convolution import Source
from service.engine.loops.fourier import (
    BACKWARDS,
    BESIDE,
    FORWARDS,
    ROW,
    Axis,
    backward,
    forward,
    innermost,
    multiply,
    transposed,
)
from service.engine.loops.rows import store_as
from service.engine.loops.samples import UINT8
from service.engine.loops.vectors import LANES, convert, lane, load, load_as, next_piece, prefetch, splat, store

Array = NDArray[Any]

AHEAD = 64
"""Bytes of a row that are asked for early, a cache line: rows are too many for the processor to foresee."""


class Runs(NamedTuple):
    """What is computed: `runs` (n, 2, 3), two in one, each of `tiles` tiles beside one another.

    A run is given by its first row of output, the number of its rows and its first column. A tile gives `columns`
    columns, and looks at rows and columns `stride` apart for one and the next.
    """

    runs: Array
    tiles: int
    columns: int
    stride: tuple[int, int]


class Kernels(NamedTuple):
    """`spectra`: a kernel for each output and each of the `per_group` inputs of its group, or one for all channels.

    Each has the lanes of blocks of frequencies down, in rows of frequencies along, in the order of the transforms;
    conjugated, and divided by all that the sums are to be divided by. With `each` every channel is filtered by itself,
    and so in place. The distance from one kernel to the next, `size`, is 0 where there is one for all.
    """

    spectra: Array
    size: int
    inputs: int
    outputs: int
    per_group: int
    each: bool


class Place(NamedTuple):
    """A result: `image` (H', bytes of `columns` * channels samples of `kind`), clipped if rounded.

    `bias` is that of each channel, and again for LANES samples more. No rows are wanted where `image` has none.
    """

    image: Array
    kind: int
    bias: Array


class Tile(NamedTuple):
    """What a thread needs for itself, and where in it rows of a transposed block are.

    `dealt` and `woven` say where in a block of `body`, and of `sums`, the columns of the input and of the output are.
    `block` has the rows of LANES columns. `body` and `sums` (blocks of frequencies, numbers of each) have a row for
    each column of each channel, and one for what is beyond; `sums` has none where the channels are filtered in place.
    `halo` is for the columns that the next tile looks at, too.
    """

    dealt: Array
    woven: Array
    block: Array
    body: Array
    sums: Array
    halo: Array


@compiled(makes_arrays=False)
def correlate(
    counter: Array,
    source: Source,
    center: Any,
    runs: Runs,
    down: Axis,
    along: Axis,
    kernels: Kernels,
    outs: tuple[Place, Place],
    own: Tile,
) -> None:
    """Compute one pair of runs after another, as long as `counter` (int64) gives one that no other thread has taken.

    `center` is taken from every sample of the image; `source.value` comes without it. The result is stored twice, with
    the bias of each of `outs`.
    """
    blocks, channels = down.length // LANES, kernels.inputs
    stored = runs.columns * kernels.outputs
    step = runs.columns * runs.stride[1]
    nothing: Any = np.int64(0)
    shared: Any = max(nothing, along.length - step)
    while True:
        pair: int = next_piece(counter)
        if pair >= len(runs.runs):
            return
        for tile in range(runs.tiles):
            known = shared if tile > 0 else nothing
            _move(own, channels, along.length, nothing, known, BACKWARDS)
            for column in range(known * channels, along.length * channels, LANES):
                for part in range(2):
                    row, _, first = runs.runs[pair, part]
                    x = (first * runs.stride[1] + tile * step) * channels + column
                    _widen(source, center, row * runs.stride[0], down.length, x, own.block, part * LANES)
                forward(own.block, down)
                innermost(own.block, down, FORWARDS)
                for k in range(blocks):
                    body, place = own.body.reshape(-1), k * own.body.shape[1]
                    transposed(own.block, k * LANES * ROW, BESIDE, 0, body, place, own.dealt, column)
            last = tile + 1 == runs.tiles
            _move(own, channels, along.length, step, nothing if last else shared, FORWARDS)
            for k in range(blocks):
                _filter(own, k, along, kernels)
            results = own.body if kernels.each else own.sums
            for column in range(0, stored, LANES):
                for k in range(blocks):
                    body, place = results.reshape(-1), k * results.shape[1]
                    transposed(body, place, own.woven, column, own.block, k * LANES * ROW, BESIDE, 0)
                innermost(own.block, down, BACKWARDS)
                backward(own.block, down)
                for part in range(2):
                    row, rows, first = runs.runs[pair, part]
                    x = (first + tile * runs.columns) * kernels.outputs + column
                    for out in outs:
                        count = min(LANES, stored - column, (out.image.shape[1] >> out.kind) - x)
                        if count > 0 and len(out.image) > 0:
                            channel = column % kernels.outputs
                            _store(own, part * LANES, runs.stride[0], channel, out, row, rows, x, count)


@compiled
def _move(own: Tile, channels: int, length: int, first: int, columns: int, way: Any) -> None:
    """Bring `columns` columns of each channel, from `first` on, aside (FORWARDS) or back (BACKWARDS)."""
    size = columns * ROW
    for k in range(len(own.body)):
        for c in range(channels):
            begin, place = (k * channels + c) * size, (c * length + first) * ROW
            aside, within = own.halo[begin : begin + size], own.body[k, place : place + size]
            if way == FORWARDS:
                _copy(within, aside)
            else:
                _copy(aside, within)


@compiled
def _copy(source: Array, target: Array) -> None:
    for i in range(len(target)):
        target[i] = source[i]


@compiled
def _filter(own: Tile, k: int, along: Axis, kernels: Kernels) -> None:
    """Transform block `k` of frequencies along, multiply, sum, and transform back."""
    body, numbers = own.body[k], along.length * ROW
    for c in range(kernels.inputs):
        channel = body[c * numbers : (c + 1) * numbers]
        forward(channel, along)
        innermost(channel, along, FORWARDS)
        if kernels.each:
            first = c * kernels.size + k * numbers
            multiply(channel, kernels.spectra[first : first + numbers], channel, again=False)
            innermost(channel, along, BACKWARDS)
            backward(channel, along)
    if kernels.each:
        return
    sums, group = own.sums[k], kernels.outputs * kernels.per_group // kernels.inputs
    for o in range(kernels.outputs):
        summed = sums[o * numbers : (o + 1) * numbers]
        for i in range(kernels.per_group):
            at = (o // group * kernels.per_group + i) * numbers
            first = (o * kernels.per_group + i) * kernels.size + k * numbers
            multiply(body[at : at + numbers], kernels.spectra[first : first + numbers], summed, again=i > 0)
        innermost(summed, along, BACKWARDS)
        backward(summed, along)


@compiled
def _widen(source: Source, center: Any, first: int, rows: int, x: int, block: Array, at: int) -> None:
    """Bring LANES samples from padded column `x` on, of padded rows from `first` on, to `at` of each row of `block`."""
    pitch, kind = source.image.shape[1], source.kind
    begin = (x - source.first) << kind
    if begin >= 0 and begin + (LANES << kind) <= pitch:
        image, outside, middle = source.image.reshape(-1), splat(source.value, LANES), splat(center, LANES)
        for r in range(rows):
            row, place = source.rows[first + r], r * ROW + at
            byte = row * pitch + begin
            if row < 0:
                store(block, place, outside)
                continue
            prefetch(image, byte + AHEAD, 0, 3)
            if kind == UINT8:
                store(block, place, convert(load(image, byte, LANES), np.float32) - middle)
            else:
                store(block, place, convert(load_as(np.uint16, image, byte, LANES), np.float32) - middle)
        return
    for r in range(rows):
        row, place = source.rows[first + r], r * ROW + at
        for i in range(LANES):
            column = source.columns[x + i] if x + i < len(source.columns) else -1
            if row < 0 or column < 0:
                block[place + i] = source.value
            elif kind == UINT8:
                block[place + i] = source.image[row, column] - center
            else:
                sample = lane(load_as(np.uint16, source.image.reshape(-1), row * pitch + 2 * column, 1), 0)
                block[place + i] = sample - center


@compiled
def _store(own: Tile, at: int, step: int, channel: int, out: Place, first: int, rows: int, x: int, count: int) -> None:
    """Finish `count` samples of every `step`-th row of a block, and store them from `x` on of rows from `first` on."""
    image, pitch, bias = out.image.reshape(-1), out.image.shape[1], load(out.bias, channel, LANES)
    place = first * pitch + (x << out.kind)
    for _ in range(rows):
        store_as(out.kind, load(own.block, at, LANES) + bias, image, place, count, LANES)
        at += step * ROW
        place += pitch
