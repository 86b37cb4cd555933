"""Sums over channels: the outputs of a few neighbouring pixels at once, one output in each lane of a vector.

A strip holds some rows of an image, border included, as floats, its channels side by side as they are in the image.
Each sample of a window meets one row of weights, which is loaded once for PIXELS pixels; their sums stay in registers
until the window is done. No window is ever laid out: that of the next pixel begins `step` samples further. After E.
Georganas et al., "Anatomy of high-performance deep learning convolutions on SIMD architectures" (2018), in the layout
that images have.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.engine.loops import rows
from service.engine.loops.calls import COUNTER, IMAGE, MEMORY, OUT, Given, arguments, bytes_at, numbers_at, words_at
from service.engine.loops.compiler import compiled
from service.engine.loops.rows import Finish
from service.engine.loops.vectors import VECTOR_BYTES, fma, lanes_of, load, next_piece, splat, store_each

Array = NDArray[Any]

PIXELS = 6
"""Summed at once: with two vectors each they take 12 of the 16 registers that AVX2 has, the weights two."""


class Lines(NamedTuple):
    """Where the rows of strips come from: for each padded row and column the one that stands there, or -1 for `value`.

    An image has rows of `row_bytes`, in samples of `kind`. It stands in `columns` from `first` on. A strip of n rows of
    output has (n - 1) * `stride` + `taps` of the padded rows, every `spacing`-th. Windows of neighbouring pixels are
    `apart` samples apart.
    """

    row_bytes: int
    kind: int
    rows: Array
    columns: Array
    first: int
    channels: int
    value: Any
    stride: int
    spacing: int
    taps: int
    apart: int


class Weights(NamedTuple):
    """Blocks of outputs: their weights, (samples of a window, lanes), one after another in `weights`.

    `offsets` says how far each sample of a window is behind the first. `blocks` (n, 4) has the vectors of each block,
    1 or 2, its first channel, first weight and first output. `bias`, of each lane of a pixel, is added to the sums;
    `divided`, of as many pixels as are finished at once, to these over `divisor`.
    """

    weights: Array
    offsets: Array
    blocks: Array
    bias: Array
    divisor: Any
    divided: Array


class Results(NamedTuple):
    """What the sums become: `rows`, in `strips`, of `width` pixels of `outputs` samples of `kind`.

    Among the sums pixels are `pitch` apart, and finished `together`; if `straight` the sums are the results. `finish`
    changes nothing: by then they are divided.
    """

    rows: int
    strips: int
    width: int
    outputs: int
    kind: int
    pitch: int
    together: int
    straight: bool
    finish: Finish


class Scratch(NamedTuple):
    """What a thread has for itself: from these bytes of its memory on a strip of rows `pitch` apart, and sums."""

    strip: int
    samples: int
    pitch: int
    sums: int
    numbers: int


def _windows(size: int) -> Callable[..., None]:
    @compiled
    def windows(
        strip: Array, at: int, step: int, weights: Weights, first: int, lane: int, sums: Array, place: int, pitch: int
    ) -> None:
        """Sum PIXELS windows of `strip`, the first of which begins at `at`, the others `step` further each.

        Lane i of pixel p goes to sums[place + p * pitch + i], with bias[lane + i].
        """
        lanes = lanes_of(strip, size)
        a = b = c = d = e = f = load(weights.bias, lane, lanes)
        w, offsets = weights.weights, weights.offsets
        for offset in offsets:
            # Trap: with `item`, which takes signed places, layers of 64 channels take a tenth longer.
            row, x = load(w, first, lanes), at + offset
            a = fma(splat(strip[np.uint64(x)], lanes), row, a)
            b = fma(splat(strip[np.uint64(x + step)], lanes), row, b)
            c = fma(splat(strip[np.uint64(x + 2 * step)], lanes), row, c)
            d = fma(splat(strip[np.uint64(x + 3 * step)], lanes), row, d)
            e = fma(splat(strip[np.uint64(x + 4 * step)], lanes), row, e)
            f = fma(splat(strip[np.uint64(x + 5 * step)], lanes), row, f)
            first += lanes
        store_each(sums, place, pitch, (a, b, c, d, e, f))

    return windows


one_vector, two_vectors = _windows(VECTOR_BYTES), _windows(2 * VECTOR_BYTES)


@compiled
def lay(given: Given, lines: Lines, row: int, strip: Array, place: int) -> None:
    """Fill `strip` with padded row `row`, from `place` on."""
    channels, columns, source, width = lines.channels, lines.columns, lines.rows[row], 0
    first = place + lines.first * channels
    if source >= 0:
        line = bytes_at(given[IMAGE] + source * lines.row_bytes, (lines.row_bytes,))
        width = (lines.row_bytes >> lines.kind) // channels
        rows.widen(lines.kind, line, 0, strip, first, width * channels)
    for k in range(len(columns) - width):
        x = k if k < lines.first else k + width
        outside, at, to = source < 0 or columns[x] < 0, first + columns[x] * channels, place + x * channels
        for c in range(channels):
            strip[to + c] = lines.value if outside else strip[at + c]


@compiled
def finish(given: Given, sums: Array, at: int, weights: Weights, results: Results, y: int, x: int, pixels: int) -> None:
    """Divide the sums of `pixels` pixels from `at` on, round and clip them, and store them from column `x` of row `y`.

    Up to BEYOND bytes behind them are read.
    """
    outputs, kind, count = results.outputs, results.kind, pixels * results.outputs
    if results.pitch != outputs:
        for p in range(1, pixels):
            for i in range(outputs):
                sums[at + p * outputs + i] = sums[at + p * results.pitch + i]
    if weights.divisor != 1:
        for i in range(count):
            sums[at + i] = sums[at + i] / weights.divisor + weights.divided[i]
    line = bytes_at(given[OUT] + ((y * results.width + x) * outputs << kind), (count << kind,))
    rows.narrow(kind, sums, at, 0, count, results.finish, line, 0, 0, 1)


@compiled(noted=True)
def mix(given: Given, notes: Sequence[tuple[Lines, Weights, Results, Scratch]]) -> None:
    """Compute strips of rows of the output until all are taken.

    A strip must be followed by as many samples as the windows
    of PIXELS pixels beyond its last row reach over, sums by as many numbers as PIXELS pixels have.
    """
    lines, weights, results, scratch = arguments(notes)
    w, blocks, height, pitch = weights.weights, weights.blocks, results.rows, scratch.pitch
    counter, strips, step = words_at(given[COUNTER], (1,)), results.strips, lines.apart
    strip = numbers_at(given[MEMORY] + scratch.strip, (scratch.samples,), w)
    sums = numbers_at(given[MEMORY] + scratch.sums, (scratch.numbers,), w)
    if results.straight:
        sums = numbers_at(given[OUT], (height * results.width * results.outputs,), w)
    while True:
        piece = next_piece(counter)
        if piece >= strips:
            break
        begin, end = height * piece // strips, height * (piece + 1) // strips
        for r in range((end - begin - 1) * lines.stride + lines.taps):
            lay(given, lines, begin * lines.stride + r * lines.spacing, strip, r * pitch)
        for y in range(begin, end):
            for x in range(0, results.width, results.together):
                pixels = min(results.together, results.width - x)
                at, place, before = (y - begin) * lines.stride * pitch + x * step, 0, 0
                if results.straight:
                    place, before = (y * results.width + x) * results.outputs, -x
                for b in range(len(blocks)):
                    vectors, channel, first, lane = blocks[b, 0], blocks[b, 1], blocks[b, 2], blocks[b, 3]
                    for each in range(0, pixels, PIXELS):
                        pixel = max(before, min(each, pixels - PIXELS))
                        s, to = at + pixel * step + channel, place + pixel * results.pitch + lane
                        if vectors == 2:
                            two_vectors(strip, s, step, weights, first, lane, sums, to, results.pitch)
                        else:
                            one_vector(strip, s, step, weights, first, lane, sums, to, results.pitch)
                if not results.straight:
                    finish(given, sums, 0, weights, results, y, x, pixels)
