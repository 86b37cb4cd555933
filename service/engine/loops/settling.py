"""Levels that a sum in floats leaves open, settled by summing again in whole numbers.

Where the largest and the least level that a sum may have are the same, so is the right one; elsewhere it is computed.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.engine.loops.compiler import compiled
from service.engine.loops.convolution import Source
from service.engine.loops.vectors import LANES, convert, lane, load, next_piece, pair_products, splat_as

Array = NDArray[Any]

AT_ONCE = 2 * LANES
"""Products that are made at once, of 16 bits each."""
GLANCE = 16
"""Samples that are compared at once."""


class Windows(NamedTuple):
    """What a sample of the result is the sum of, and how it is finished: sum / divisor + bias.

    `weights` (kernels, kH, samples) int16 are 0 for the samples of other channels, which stand between two taps, and
    beyond the `width` samples of a row of the window up to a multiple of AT_ONCE. There is one kernel for all of the
    `channels`, or one for each. Rows of taps are `dilation` rows apart. `value` is that of what surrounds the image.
    """

    weights: Array
    width: int
    stride: tuple[int, int]
    dilation: int
    channels: int
    value: int
    divisor: float
    bias: Array


@compiled(makes_arrays=False)
def settle(counter: Array, source: Source, windows: Windows, least: Array, most: Array) -> None:
    """Put the right levels into `least` (H', W' * C') uint8 where `most` differs, a row at a time.

    Which rows, `counter` (int64) says, which all threads share.
    """
    while True:
        y: int = next_piece(counter)
        if y >= len(least):
            return
        low, high = least[y], most[y]
        for begin in range(0, len(low), GLANCE):
            end = min(begin + GLANCE, len(low))
            differing = np.uint8(0)
            for x in range(begin, end):
                differing |= low[x] ^ high[x]
            if differing != 0:
                for x in range(begin, end):
                    if low[x] != high[x]:
                        low[x] = _level(source, windows, y, x)


@compiled
def _level(source: Source, windows: Windows, y: int, x: int) -> Any:
    """Compute sample `x` of row `y`: float64 holds the sum, and tells its quotient from a tie."""
    pixel, channel = x // windows.channels, x % windows.channels
    kernel, total = min(channel, len(windows.weights) - 1), 0
    column = pixel * windows.stride[1] * windows.channels + channel
    begin, sums = column - source.first, splat_as(np.int32, 0, LANES)
    image, weights, length = source.image.reshape(-1), windows.weights.reshape(-1), windows.weights.shape[2]
    within = begin >= 0 and begin + length <= source.image.shape[1]
    for i in range(windows.weights.shape[1]):
        row, first = source.rows[y * windows.stride[0] + i * windows.dilation], windows.weights[kernel, i]
        if row >= 0 and within:
            at, own = row * source.image.shape[1] + begin, (kernel * windows.weights.shape[1] + i) * length
            for j in range(0, length, AT_ONCE):
                samples = convert(load(image, at + j, AT_ONCE), np.int16)
                sums = sums + pair_products(samples, load(weights, own + j, AT_ONCE))
        else:
            total += _row(source, windows.value, first[: windows.width], row, column)
    for i in range(LANES):
        total += lane(sums, i)
    result = total / windows.divisor + windows.bias[channel]
    return np.uint8(min(max(np.rint(result), 0.0), 255.0))


@compiled
def _row(source: Source, value: int, weights: Array, row: int, column: int) -> int:
    """Sum a row of a window, which begins at a padded column and may leave the image."""
    total = 0
    for j in range(len(weights)):
        place = source.columns[column + j]
        sample = source.image[row, place] if row >= 0 and place >= 0 else value
        total += sample * weights[j]
    return total
