"""Levels that a sum in floats leaves open, settled by summing again in whole numbers.

Where the largest and the least level that a sum may have are the same, so is the right one; elsewhere it is computed.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.engine.loops.compiler import compiled
from service.engine.loops.convolution import Source
from service.engine.loops.lanes import next_piece

Array = NDArray[Any]

GLANCE = 16
"""Samples that are compared at once."""


class Windows(NamedTuple):
    """What a sample of the result is the sum of, and how it is finished: sum / divisor + bias.

    `weights` (kernels, kH, samples of a row of the window) int16 are 0 for the samples of other channels, which stand
    between two taps; there is one kernel for all of the `channels`, or one for each. Rows of taps are `dilation` rows
    apart. `value` is that of what surrounds the image.
    """

    weights: Array
    stride: tuple[int, int]
    dilation: int
    channels: int
    value: int
    divisor: float
    bias: Array


@compiled
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
    weights, total = windows.weights[min(channel, len(windows.weights) - 1)], 0
    column = pixel * windows.stride[1] * windows.channels + channel
    for i in range(len(weights)):
        total += _row(source, windows.value, weights[i], y * windows.stride[0] + i * windows.dilation, column)
    result = total / windows.divisor + windows.bias[channel]
    return np.uint8(min(max(np.rint(result), 0.0), 255.0))


@compiled
def _row(source: Source, value: int, weights: Array, padded: int, column: int) -> int:
    """Sum a row of a window, which begins at a padded row and column."""
    row, begin, total = source.rows[padded], column - source.first, np.int32(0)
    if row >= 0 and begin >= 0 and begin + len(weights) <= source.image.shape[1]:
        samples = source.image[row, begin : begin + len(weights)]
        for j in range(len(weights)):
            total = np.int32(total + np.int32(np.int32(samples[j]) * np.int32(weights[j])))
        return total
    for j in range(len(weights)):
        place = source.columns[column + j]
        sample = source.image[row, place] if row >= 0 and place >= 0 else value
        total += sample * weights[j]
    return total
