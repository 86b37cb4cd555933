"""The windows of an image as the rows of a matrix.

Images come as bytes, for the reason given in convolution.py. Channels stay side by side, as they are in the image: the
part of a window that lies on one row of the image is one run of samples wherever nothing of it is padding.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.engine.loops.compiler import compiled

Array = NDArray[Any]
Positions = NDArray[np.intp]

KINDS = {"uint8": 0, "uint16": 1, "float32": 2, "float64": 3}


@compiled
def lay_windows(
    source: Array,
    kind: int,
    rows: Positions,
    columns: Positions,
    stride: tuple[int, int],
    dilation: tuple[int, int],
    taps: tuple[int, int],
    channels: int,
    first: int,
    value: float,
    width: int,
    matrix: Array,
) -> None:
    """Fill `matrix` (h * width, kH * kW * c) from `source` (H, bytes of W * channels samples of `kind`).

    A row of it is the window of one output: the c channels from `first` on, tap by tap. `rows` and `columns` give the
    source index of each padded position from the first window on, or a negative number for `value`.
    """
    size = matrix.shape[1] // taps[0]
    count = size // taps[1]
    outside = matrix.dtype.type(value)
    for y in range(len(matrix) // width):
        part = matrix[y * width : (y + 1) * width]
        for down in range(taps[0]):
            row = rows[y * stride[0] + down * dilation[0]]
            begin = down * size
            if row < 0:
                part[:, begin : begin + size] = outside
                continue
            line = source[row]
            if kind == 0:
                _lay(line, columns, stride[1], dilation[1], taps[1], channels, first, count, outside, begin, part)
            elif kind == 1:
                shorts = line.view(np.uint16)
                _lay(shorts, columns, stride[1], dilation[1], taps[1], channels, first, count, outside, begin, part)
            elif kind == 2:
                floats = line.view(np.float32)
                _lay(floats, columns, stride[1], dilation[1], taps[1], channels, first, count, outside, begin, part)
            else:
                doubles = line.view(np.float64)
                _lay(doubles, columns, stride[1], dilation[1], taps[1], channels, first, count, outside, begin, part)


@compiled
def _lay(
    line: Array,
    columns: Positions,
    stride: int,
    dilation: int,
    taps: int,
    channels: int,
    first: int,
    count: int,
    outside: Any,
    begin: int,
    part: Array,
) -> None:
    size = taps * count
    x = 0
    while x < len(part):
        left = columns[x * stride]
        end = x
        # Positions rise by 1 at most: where the last of a window is as far as that, all of it is one run.
        if count == channels and dilation == 1 and left >= 0:
            while end < len(part) and columns[end * stride + taps - 1] == left + (end - x) * stride + taps - 1:
                end += 1
        if end > x:
            _runs(line[left * channels :], stride * channels, part[x:end], begin, size)
            x = end
            continue
        target = part[x][begin : begin + size]
        for tap in range(taps):
            column = columns[x * stride + tap * dilation]
            place = target[tap * count : (tap + 1) * count]
            if column < 0:
                place[:] = outside
            else:
                samples = line[column * channels + first : column * channels + first + count]
                for i in range(count):
                    place[i] = samples[i]
        x += 1


@compiled
def _runs(line: Array, step: int, part: Array, begin: int, size: int) -> None:
    """Copy runs of `size` samples, `step` apart: to where each row of `part` begins at `begin`."""
    at = 0
    for x in range(len(part)):
        target = part[x][begin : begin + size]
        samples = line[at : at + size]
        for i in range(size):
            target[i] = samples[i]
        at += step


def warm() -> None:
    """Compile for both types of matrices."""
    source, nowhere = np.zeros((1, 8), np.uint8), np.zeros(1, np.intp)
    source.flags.writeable = False
    for number in (np.float32, np.float64):
        lay_windows(source, 0, nowhere, nowhere, (1, 1), (1, 1), (1, 1), 1, 0, 0.0, 1, np.zeros((1, 1), number))
