"""Channel mixing: the windows of a tile as the rows of a matrix, times the matrix of the weights, by BLAS.

After K. Chellapilla, S. Puri and P. Simard, "High performance convolutional neural networks for document processing"
(2006), but for a few rows of the output at a time, so that the matrix stays in the cache.
"""

from __future__ import annotations

from itertools import product
from math import ceil
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.engine import parallel
from service.engine.algorithms.base import Task
from service.engine.algorithms.strips import source_bytes
from service.engine.arrays import stored
from service.engine.borders import indices
from service.engine.geometry import Padding, Pair
from service.engine.loops.matrices import KINDS, lay_windows
from service.engine.rates import RATES
from service.engine.steps import Conv2d

TILE_BYTES = 5 << 17
"""Of the matrix of windows, about: what the second-level cache holds beside that of the weights and the results."""
FEWEST_PIXELS = 16
"""Of a tile, however long a window is."""
BLAS_BLOCK = 16
"""BLAS computes so many outputs at once; fewer take as long."""


class Tiling(NamedTuple):
    """Whole rows of the output, or parts of one row, whichever a tile holds; `grid` tiles along each axis."""

    rows: int
    columns: int
    grid: Pair


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
        runs = step.kernel_size[0] * (1 if step.groups == 1 and step.dilation[1] == 1 else step.kernel_size[1])
        laid = 0 if _is_matrix(task, step) else pixels * step.groups
        return (
            RATES.call
            + tiling.grid[0] * tiling.grid[1] * step.groups * RATES.gemm_tile
            + laid * runs * RATES.gemm_run
            + laid * length * (RATES.gemm_copy_double if double else RATES.gemm_copy)
            + pixels * length * blocked * (RATES.gemm_mac_double if double else RATES.gemm_mac)
            + (0 if task.target == task.arithmetic and step.groups == 1 else pixels * outputs * RATES.gemm_store)
        )

    def workspace(self, task: Task, threads: int) -> int:
        step, tiling = _known(task)
        number = 8 if task.arithmetic == "float64" else 4
        outputs, _, length = _sizes(step)
        pixels = tiling.rows * tiling.columns
        tile = number * (pixels * length + 2 * pixels * (outputs // step.groups))
        positions = 8 * 4 * (sum(task.shape[:2]) + sum(step.padding))
        return threads * (tile + (1 << 16)) + number * outputs * length + positions

    def apply(self, task: Task, image: NDArray[Any], threads: int) -> NDArray[Any]:
        step, tiling = _known(task)
        number = np.dtype(task.arithmetic)
        mode = step.padding_mode
        value = float(step.padding_value) if mode == "constant" else 0.0
        rows = indices(image.shape[0], step.padding.vertical, mode)
        columns = indices(image.shape[1], step.padding.horizontal, mode)
        source, kind = source_bytes(image), KINDS[image.dtype.name]
        result = np.empty(task.output, task.target)
        matrices = _matrices(step, number)
        bias = None if step.bias is None else step.bias.astype(number).reshape(step.groups, -1)
        outputs, per_group, length = _sizes(step)
        outputs //= step.groups

        def filter_tile(piece: tuple[int, int, int]) -> None:
            vertical, horizontal, group = piece
            top, left = vertical * tiling.rows, horizontal * tiling.columns
            place = result[top : top + tiling.rows, left : left + tiling.columns]
            height, width = place.shape[:2]
            if _is_matrix(task, step):
                windows = image[top : top + height, left : left + width].reshape(-1, length)
            else:
                windows = np.empty((height * width, length), number)
                lay_windows(
                    source, kind, rows[top * step.stride[0] :], columns[left * step.stride[1] :], step.stride,
                    step.dilation, step.kernel_size, image.shape[2], group * per_group, value, width, windows,
                )  # fmt: skip
            direct = outputs == result.shape[2] and result.dtype == number and width == result.shape[1]
            sums = place.reshape(-1, outputs) if direct else np.empty((height * width, outputs), number)
            np.matmul(windows, matrices[group], out=sums)
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
    """Turn the weights into (groups, kH * kW * in / groups, out / groups)."""
    by_group = step.weight.reshape(step.groups, -1, *step.weight.shape[1:]).transpose(0, 3, 4, 2, 1)
    return np.ascontiguousarray(by_group, number).reshape(step.groups, step.weight[0].size, -1)


def _is_matrix(task: Task, step: Conv2d) -> bool:
    """Say whether the samples of the image are the matrix of its windows."""
    pointwise = (step.kernel_size, step.stride, step.padding, step.groups) == ((1, 1), (1, 1), Padding(), 1)
    return pointwise and task.source == task.arithmetic


def _sizes(step: Conv2d) -> tuple[int, int, int]:
    """Give the outputs, the channels of a group and the samples of a window."""
    outputs, per_group, height, width = step.weight.shape
    return outputs, per_group, per_group * height * width


def _known(task: Task) -> tuple[Conv2d, Tiling]:
    step = task.step
    if not isinstance(step, Conv2d):
        raise TypeError(f"no way to compute a {type(step).__name__}")
    out, taps = task.output, step.kernel_size
    window = step.weight.shape[1] * taps[0] * taps[1] * (8 if task.arithmetic == "float64" else 4)
    pixels = max(FEWEST_PIXELS, TILE_BYTES // window)
    rows = max(1, min(pixels // out.width, out.height))
    columns = out.width if pixels >= out.width else ceil(out.width / ceil(out.width / pixels))
    return step, Tiling(rows, columns, (ceil(out.height / rows), ceil(out.width / columns)))
