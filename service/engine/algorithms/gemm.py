"""Channel mixing: the windows of a tile as the columns of a matrix, times the matrix of the weights, by BLAS.

After K. Chellapilla, S. Puri and P. Simard, "High performance convolutional neural networks for document processing"
(2006), but for a few rows of the output at a time, so that the matrix stays in the cache.
"""

from __future__ import annotations

from itertools import product
from math import ceil
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from service.engine import parallel
from service.engine.algorithms.base import Task
from service.engine.arrays import stored
from service.engine.borders import indices
from service.engine.geometry import Pair
from service.engine.loops.planes import gather
from service.engine.rates import RATES
from service.engine.steps import Conv2d

TILE_BYTES = 1 << 20
"""Of the matrix of windows, about: what the second-level cache holds."""
FEWEST_PIXELS = 16
"""Of a tile, however long a window is."""
BLAS_BLOCK = 16
"""BLAS computes so many outputs at once; fewer take as long."""


class Tiling(NamedTuple):
    """Whole rows of the output, or parts of one row, whichever a tile holds; `grid` tiles along each axis."""

    rows: int
    columns: int
    grid: Pair
    lines: int
    """Of samples that a tile reads: a block where that is the fewer, otherwise those of each tap apart."""


class Gemm:
    name = "gemm"

    def accepts(self, task: Task) -> bool:
        return isinstance(task.step, Conv2d) and not task.step.shared

    def seconds(self, task: Task) -> float:
        step, tiling = _known(task)
        double = task.arithmetic == "float64"
        outputs, _, length = _sizes(step)
        pixels = task.output.pixels
        blocked = ceil(outputs / step.groups / BLAS_BLOCK) * BLAS_BLOCK * step.groups
        tiles = tiling.grid[0] * tiling.grid[1]
        return (
            RATES.call
            + tiles * step.groups * RATES.gemm_tile
            + tiles * tiling.lines * _span(step, tiling.columns) * step.in_channels * RATES.plane_sample
            + pixels * length * step.groups * (RATES.gemm_copy_double if double else RATES.gemm_copy)
            + pixels * length * blocked * (RATES.gemm_mac_double if double else RATES.gemm_mac)
            + (0 if task.target == task.arithmetic and step.groups == 1 else pixels * outputs * RATES.gemm_store)
        )

    def workspace(self, task: Task, threads: int) -> int:
        step, tiling = _known(task)
        number = 8 if task.arithmetic == "float64" else 4
        outputs, per_group, length = _sizes(step)
        pixels = tiling.rows * tiling.columns
        lines = tiling.lines * _span(step, tiling.columns) * per_group
        tile = number * (lines + pixels * length + 2 * pixels * (outputs // step.groups))
        positions = 8 * 4 * (sum(task.shape[:2]) + sum(step.padding) + tiling.lines)
        return threads * (tile + (1 << 16)) + number * outputs * length + positions

    def apply(self, task: Task, image: NDArray[Any], threads: int) -> NDArray[Any]:
        step, tiling = _known(task)
        number = np.dtype(task.arithmetic)
        mode = step.padding_mode
        value = float(step.padding_value) if mode == "constant" else 0.0
        rows = indices(image.shape[0], step.padding.vertical, mode)
        columns = indices(image.shape[1], step.padding.horizontal, mode)
        result = np.empty(task.output, task.target)
        matrices = _matrices(step, number)
        bias = None if step.bias is None else step.bias.astype(number).reshape(step.groups, -1)
        per_group, outputs = step.weight.shape[1], step.out_channels // step.groups

        def filter_tile(piece: tuple[int, int, int]) -> None:
            vertical, horizontal, group = piece
            top, left = vertical * tiling.rows, horizontal * tiling.columns
            place = result[top : top + tiling.rows, left : left + tiling.columns]
            height, width = place.shape[:2]
            lines = rows[_lines(step, top, height)]
            across = columns[left * step.stride[1] :][: _span(step, width)]
            planes = np.empty((per_group, len(lines), len(across)), number)
            gather(image, lines, across, value, group * per_group, 1, planes)

            windows = _windows(planes, step, height, width)
            direct = outputs == result.shape[2] and result.dtype == number
            sums = place.reshape(-1, outputs) if direct else np.empty((height * width, outputs), number)
            np.matmul(windows.T, matrices[group], out=sums)
            if step.divisor != 1:
                sums /= number.type(step.divisor)
            if bias is not None:
                sums += bias[group]
            if not direct:
                channels = place[:, :, group * outputs : (group + 1) * outputs]
                stored(sums.reshape(channels.shape), task.target, channels)

        pieces = product(range(tiling.grid[0]), range(tiling.grid[1]), range(step.groups))
        parallel.each(filter_tile, pieces, threads)
        return result


def _matrices(step: Conv2d, number: np.dtype[Any]) -> NDArray[Any]:
    """Turn the weights into (groups, in / groups * kH * kW, out / groups)."""
    by_group = step.weight.reshape(step.groups, -1, step.weight[0].size)
    return np.ascontiguousarray(by_group.transpose(0, 2, 1), number)


def _lines(step: Conv2d, top: int, height: int) -> NDArray[np.intp]:
    """List the padded rows that `height` rows of the output look at, from output row `top` on."""
    (stride, dilation), taps = (step.stride[0], step.dilation[0]), step.kernel_size[0]
    block = (height - 1) * stride + step.field_of_view[0]
    if block <= height * taps:
        return top * stride + np.arange(block)
    apart = np.arange(taps)[:, None] * dilation + np.arange(height) * stride
    return top * stride + apart.reshape(-1)


def _windows(planes: NDArray[Any], step: Conv2d, height: int, width: int) -> NDArray[Any]:
    """Lay `planes` (C, lines, span) out as (C * kH * kW, height * width): a column is the window of one output."""
    taps = step.kernel_size
    block = planes.shape[1] == (height - 1) * step.stride[0] + step.field_of_view[0]
    if taps == (1, 1) and step.stride[1] == 1 and (step.stride[0] == 1 or not block):
        return planes.reshape(len(planes), -1)
    channel, line, sample = planes.strides
    down, along = (step.dilation[0], step.stride[0]) if block else (height, 1)
    shape = (len(planes), *taps, height, width)
    strides = (channel, down * line, step.dilation[1] * sample, along * line, step.stride[1] * sample)
    overlapping = as_strided(planes, shape, strides, writeable=False)
    return overlapping.reshape(-1, height * width)


def _sizes(step: Conv2d) -> tuple[int, int, int]:
    """Give the outputs, the channels of a group and the samples of a window."""
    outputs, per_group, height, width = step.weight.shape
    return outputs, per_group, per_group * height * width


def _span(step: Conv2d, width: int) -> int:
    """Count the samples of a padded row that `width` outputs look at."""
    return (width - 1) * step.stride[1] + step.field_of_view[1]


def _known(task: Task) -> tuple[Conv2d, Tiling]:
    step = task.step
    if not isinstance(step, Conv2d):
        raise TypeError(f"no way to compute a {type(step).__name__}")
    out, taps = task.output, step.kernel_size
    window = step.weight.shape[1] * taps[0] * taps[1] * (8 if task.arithmetic == "float64" else 4)
    pixels = max(FEWEST_PIXELS, TILE_BYTES // window)
    rows = max(1, min(pixels // out.width, out.height))
    columns = out.width if pixels >= out.width else ceil(out.width / ceil(out.width / pixels))
    lines = min((rows - 1) * step.stride[0] + step.field_of_view[0], rows * taps[0])
    return step, Tiling(rows, columns, (ceil(out.height / rows), ceil(out.width / columns)), lines)
