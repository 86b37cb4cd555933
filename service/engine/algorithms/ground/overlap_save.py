"""Large kernels: products of spectra, tile by tile (overlap-save), so the time hardly depends on the kernel.

A tile of L samples a side, transformed, times the conjugate spectrum of the kernel, transformed back, holds the sums of
the L - window + 1 positions at which the window does not wrap around. After A. V. Oppenheim and R. W. Schafer,
"Discrete-Time Signal Processing", section 8.7.3. SciPy transforms in float64.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from math import ceil, log2, prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from service.engine.algorithms.arrays import stored
from service.engine.algorithms.base import Task
from service.engine.algorithms.ground.products import Products
from service.engine.algorithms.ground.shifted import Shifted
from service.engine.algorithms.ground.sums import finished
from service.engine.algorithms.ground.windows import Padded
from service.engine.algorithms.rates import rates
from service.engine.algorithms.ready import KEPT_BYTES, ready
from service.engine.algorithms.tilings import MOST_SPECTRA
from service.engine.machine import parallel
from service.engine.steps import Conv2d
from service.engine.steps.geometry import Pair

_SMOOTH = (2**two * 3**three * 5**five for two, three, five in product(range(11), range(3), range(3)))
SIDES = tuple(sorted(side for side in _SMOOTH if side <= 1024))
"""Sides of tiles: none has a large prime factor, which would make the transform slow."""
MOST_POINTS = 1 << 20
"""Most points of a tile; no cache holds a larger one."""
MOST_SIDES = 12
"""Most sides per axis that are combined with those of the other axis: the ones with the least waste."""
CACHED_POINTS = 1 << 16
"""Points of a tile that fits into the second-level cache together with its spectrum."""
OUT_OF_CACHE = 1.5
"""How much longer a point takes in a larger tile: 1.2 times on an idle machine, 2 times on a busy one."""
BATCH = 4
"""Channels transformed in one call."""
FEWEST_TAPS = 81
"""Fewest taps for arrays of floats: with fewer it gains nothing, and leaves rounding errors in integer or zero sums."""
MOST_UNEVEN = 1e6
"""Largest ratio of the largest sample to the usual one: float64 has ten digits to spare."""
MEDIAN_SAMPLES = 1 << 16
EXACT_ERROR = 0.1
"""Largest error of sums that are rounded to exact ones, in units of 2**-`places`; 0.5 would do."""


class Tiling(NamedTuple):
    """Tiles of `side` samples that give `outputs` results each; `grid` counts the tiles along each axis."""

    side: Pair
    outputs: Pair
    grid: Pair

    @property
    def points(self) -> int:
        return self.side[0] * self.side[1]

    @property
    def tiles(self) -> int:
        return self.grid[0] * self.grid[1]


class Fft:
    name = "fft"

    def accepts(self, task: Task) -> bool:
        step = task.step
        if not isinstance(step, Conv2d) or (not _of_picture(task) and prod(step.kernel_size) < FEWEST_TAPS):
            return False
        tiling = _tiling(task, step)
        return (
            tiling is not None
            and tiling.points <= MOST_POINTS
            and _spectra_bytes(step, tiling) <= MOST_SPECTRA
            and (not task.exact or _sum_error(task, step, tiling) < EXACT_ERROR * 2.0**-task.places)
        )

    def seconds(self, task: Task) -> float:
        step = _known(task)
        tiling = _tiles(task, step)
        outputs, per_group = _kernels(step)
        point = rates().fft_point_double * log2(tiling.points + 1) / 2
        points, kernels = tiling.tiles * tiling.points, outputs * per_group
        made = kernels if _spectra_bytes(step, tiling) > KEPT_BYTES else 0
        pieces = tiling.tiles * ceil(step.groups / BATCH)
        return (
            rates().call
            + rates().fft_tile * pieces
            + rates().fft_kernel * (made + pieces * max(1, outputs // step.groups) * per_group)
            + points * (step.in_channels + step.out_channels) * point
            + points * step.out_channels * per_group * rates().fft_product_double
            + made * tiling.points * point
            + points * step.in_channels * rates().plane_sample
            + task.output.samples * rates().fft_store
        )

    def workspace(self, task: Task, threads: int) -> int:
        step = _known(task)
        tiling = _tiles(task, step)
        batch = min(BATCH, step.groups)
        outputs = step.out_channels // step.groups
        spectrum = tiling.side[0] * (tiling.side[1] // 2 + 1) * 16
        # Per thread and channel of the batch: tile, spectrum, a sum per output, a product, the inverse transform.
        own = batch * (2 * tiling.points * 8 + (outputs + 4) * spectrum)
        spectra = _spectra_bytes(step, tiling) + 5 * tiling.points * 8
        positions = 8 * 4 * (sum(task.shape[:2]) + sum(step.padding))
        pieces = tiling.tiles * ceil(step.groups / BATCH)
        need = spectra + min(threads, pieces) * own + positions + (1 << 16)
        return max(need, _by_taps(step).workspace(task, threads)) if task.source.startswith("float") else need

    def apply(self, task: Task, image: NDArray[Any], threads: int) -> NDArray[Any]:
        step = _known(task)
        if image.dtype.kind == "f" and not _is_even(image):
            return _by_taps(step).apply(task, image, threads)
        tiling = _tiles(task, step)
        padded = Padded.of(image, step.padding, step.padding_mode, step.padding_value)
        spectra = _spectra(task)
        result = np.empty(task.output, task.target)
        per_group, outputs = step.weight.shape[1], step.out_channels // step.groups

        def filter_tile(piece: tuple[int, int, int]) -> None:
            vertical, horizontal, group = piece
            top, left = vertical * tiling.outputs[0], horizontal * tiling.outputs[1]
            place = result[top : top + tiling.outputs[0], left : left + tiling.outputs[1]]
            top, left = top * step.stride[0], left * step.stride[1]
            batch = slice(group, min(group + BATCH, step.groups))
            kernels = spectra if step.shared else spectra[batch]
            sums: list[NDArray[Any]] = []
            for channel in range(per_group):
                tile = np.empty((batch.stop - batch.start, *tiling.side))
                channels = slice(group * per_group + channel, batch.stop * per_group, per_group)
                padded.window(top, left, tile.transpose(1, 2, 0), channels)
                spectrum = fft.rfft2(tile)
                for output in range(outputs):
                    kernel = kernels[:, output, channel]
                    if channel == 0:
                        sums.append(np.multiply(spectrum, kernel, out=spectrum if outputs == 1 else None))
                    else:
                        sums[output] += spectrum * kernel
            for output, summed in enumerate(sums):
                lines = fft.ifft(summed, axis=1, overwrite_x=True)
                lines = lines[:, : step.stride[0] * place.shape[0] : step.stride[0]]
                dense = fft.irfft(lines, tiling.side[1], axis=2, overwrite_x=True)
                dense = dense[:, :, : step.stride[1] * place.shape[1] : step.stride[1]]
                _store(dense, task, step, slice(group * outputs + output, batch.stop * outputs, outputs), place)

        pieces = product(range(tiling.grid[0]), range(tiling.grid[1]), range(0, step.groups, BATCH))
        parallel.each(filter_tile, pieces, threads)
        return result


def _store(sums: NDArray[Any], task: Task, step: Conv2d, channels: slice, place: NDArray[Any]) -> None:
    """Divide and shift the sums (n, h, w) of some output channels, and put them into `place` (h, w, C')."""
    bias = 0.0 if step.bias is None else step.bias[channels]
    if task.exact:
        scale = 2.0**task.places
        sums = np.rint(sums * scale) / scale if task.places else np.rint(sums)
        if task.target.startswith("uint"):
            sums = sums.astype(task.arithmetic, copy=False)
    results = finished(sums.transpose(1, 2, 0), step.divisor, bias, task)
    stored(results, task.target, place[:, :, channels])


def _by_taps(step: Conv2d) -> Shifted | Products:
    return Shifted() if step.weight.shape[1] == 1 else Products()


@ready
def _spectra(task: Task) -> NDArray[np.complex128]:
    """Transform the kernels, with taps `dilation` apart, and conjugate: the step is a correlation.

    Returns (groups, out / groups, in / groups, L, L / 2 + 1), with one group if the kernel is shared.
    """
    step = _known(task)
    side = _tiles(task, step).side
    outputs, per_group = _kernels(step)
    groups = 1 if step.shared else step.groups
    spectra = np.empty((outputs, per_group, side[0], side[1] // 2 + 1), np.complex128)
    plane, view = np.zeros(side), step.field_of_view
    for output, channel in product(range(outputs), range(per_group)):
        plane[: view[0] : step.dilation[0], : view[1] : step.dilation[1]] = step.weight[output, channel]
        spectra[output, channel] = np.conjugate(fft.rfft2(plane))
    return spectra.reshape(groups, outputs // groups, *spectra.shape[1:])


def _is_even(image: NDArray[Any]) -> bool:
    """Tell whether no sample is infinite, NaN, or so large that its rounding error would show in other sums.

    A transform spreads each sample, and its rounding error, over its tile. The usual size is the median of some
    samples: a few huge ones do not change it.
    """
    largest = max(abs(float(image.max())), abs(float(image.min())))
    usual = float(np.median(np.abs(image.reshape(-1)[:: 1 + image.size // MEDIAN_SAMPLES])))
    return largest <= MOST_UNEVEN * usual  # False for NaN


def _of_picture(task: Task) -> bool:
    return task.source in {"uint8", "uint16"}


def _sum_error(task: Task, step: Conv2d, tiling: Tiling) -> float:
    """Bound the error of a sum in float64 from the largest possible sum."""
    reach = step.reach
    if task.source in {"uint8", "uint16"}:
        largest = max(255.0 if task.source == "uint8" else 65535.0, reach.rim)
        size = reach.gain * abs(reach.divisor) * largest
    else:
        size = 2.0 ** (24 - task.places) if task.arithmetic == "float32" else float("inf")
    return 1e-15 * log2(tiling.points + 1) * size


def _known(task: Task) -> Conv2d:
    step = task.step
    if not isinstance(step, Conv2d):
        raise TypeError(f"no way to compute a {type(step).__name__}")
    return step


def _tiles(task: Task, step: Conv2d) -> Tiling:
    tiling = _tiling(task, step)
    if tiling is None:
        raise ValueError(f"no tile holds a window of {step.field_of_view}")
    return tiling


def _spectra_bytes(step: Conv2d, tiling: Tiling) -> int:
    outputs, per_group = _kernels(step)
    return outputs * per_group * tiling.side[0] * (tiling.side[1] // 2 + 1) * 16


def _kernels(step: Conv2d) -> Pair:
    """Count the kernels: (out, in / groups)."""
    outputs, per_group = step.weight.shape[:2]
    return outputs, per_group


def _tiling(task: Task, step: Conv2d) -> Tiling | None:
    out, view, stride = task.output, step.field_of_view, step.stride
    return _least_work((out.height, out.width), view, stride, SIDES, rates().fft_tile / rates().fft_point_double)


@lru_cache(1024)
def _least_work(outputs: Pair, window: Pair, stride: Pair, sides: tuple[int, ...], call: float) -> Tiling | None:
    """Choose the tile with the least time for transforms; None if the window is too wide for any.

    Besides its transforms, a tile costs as much as `call` points.
    """

    def work(tiling: Tiling) -> float:
        points = tiling.points * log2(tiling.points + 1)
        return tiling.tiles * (call + points * (1 if tiling.points <= CACHED_POINTS else OUT_OF_CACHE))

    vertical, horizontal = (_sides(sides, *axis) for axis in zip(outputs, window, stride, strict=True))
    tilings = (Tiling(*zip(v, h, strict=True)) for v in vertical for h in horizontal)
    return min(tilings, key=work, default=None)


def _sides(sides: tuple[int, ...], outputs: int, window: int, stride: int) -> list[tuple[int, int, int]]:
    """List the tile sides worth trying along one axis: (samples of a tile, results of a tile, tiles)."""
    needed = (outputs - 1) * stride + window
    whole = [side for side in sides if side >= needed][:1]
    parts = [side for side in sides if window <= side < needed]
    axes = []
    for side in [*parts, *whole]:
        results = min((side - window) // stride + 1, outputs)
        axes.append((side, results, ceil(outputs / results)))
    return sorted(axes, key=lambda axis: axis[0] * axis[2])[:MOST_SIDES]
