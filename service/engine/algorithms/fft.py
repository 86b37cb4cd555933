"""Large kernels: products of spectra, tile by tile (overlap-save), so that the time hardly depends on the kernel.

A tile of L samples a side, transformed, times the conjugate spectrum of the kernel, transformed back, holds the sums of
the L - window + 1 positions at which the window does not wrap around. After A. V. Oppenheim and R. W. Schafer,
"Discrete-Time Signal Processing", section 8.7.3.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from math import ceil, isnan, log2
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from service.engine import parallel
from service.engine.algorithms.base import Task
from service.engine.arrays import stored
from service.engine.geometry import Pair
from service.engine.rates import RATES
from service.engine.steps import Conv2d
from service.engine.windows import Padded

SIDES = sorted(
    side for two, three, five in product(range(11), range(3), range(3)) if (side := 2**two * 3**three * 5**five) <= 1024
)
"""Of tiles: no large prime factor, for which the transform is slow."""
MOST_POINTS = 1 << 20
"""Of a tile; beyond it no cache holds it."""
MOST_SPECTRA = 64 << 20
"""Bytes of all the kernels' spectra."""
FEWEST_TERMS = 49
"""So many products make the rounding of a sum in float32 as large as that of a transform."""
EXACT_ERROR = 0.1
"""To which a sum of integers must be known at least to be rounded to what it is; 0.5 would do."""


class Tiling(NamedTuple):
    """`side` samples of a tile, of which `outputs` results come; `count` tiles along each axis."""

    side: Pair
    outputs: Pair
    count: Pair

    @property
    def points(self) -> int:
        return self.side[0] * self.side[1]

    @property
    def tiles(self) -> int:
        return self.count[0] * self.count[1]


@dataclass(frozen=True)
class Fft:
    name: str = "fft"

    def accepts(self, task: Task) -> bool:
        step = task.step
        if not isinstance(step, Conv2d):
            return False
        tiling = _tiling(task, step)
        return (
            tiling is not None
            and tiling.points <= MOST_POINTS
            and _spectra_bytes(task, step, tiling) <= MOST_SPECTRA
            and (not task.exact or _sum_error(task, step, tiling) < EXACT_ERROR)
        )

    def seconds(self, task: Task) -> float:
        step, tiling, single = _known(task)
        per_group = step.weight.shape[1]
        point = (RATES.fft_point if single else RATES.fft_point_double) * log2(tiling.points + 1)
        spectral = RATES.fft_product if single else RATES.fft_product_double
        planes = step.in_channels + step.out_channels
        kernels = step.weight.shape[0] * per_group
        points = tiling.tiles * tiling.points
        return (
            RATES.call
            + RATES.strip * tiling.tiles * step.groups
            + points * planes * point / 2
            + points * step.out_channels * per_group * spectral
            + kernels * tiling.points * RATES.fft_point_double * log2(tiling.points + 1) / 2
            + points * step.in_channels * RATES.widen_sample
            + task.output.samples * RATES.store_sample
        )

    def workspace(self, task: Task, threads: int) -> int:
        step, tiling, single = _known(task)
        number = 4 if single else 8
        outputs = step.out_channels // step.groups
        spectrum = tiling.side[0] * (tiling.side[1] // 2 + 1) * 2 * number
        tile = tiling.points * number
        # Per thread: the tile and its spectrum, a sum for each output, a product, and one plane on its way back.
        own = 2 * tile + (outputs + 4) * spectrum
        kernels = _spectra_bytes(task, step, tiling) + 4 * tiling.points * 8
        padded = sum(task.shape[:2]) + sum(step.padding)
        return kernels + threads * own + 8 * 4 * padded + (1 << 16)

    def apply(self, task: Task, image: NDArray[Any], threads: int) -> NDArray[Any]:
        step, tiling, single = _known(task)
        number = np.dtype(np.float32 if single else np.float64)
        padded = Padded.of(image, step.padding, step.padding_mode, step.padding_value)
        spectra = _spectra(step, tiling.side, number)
        result = np.empty(task.output, task.target)
        per_group, outputs = step.weight.shape[1], step.out_channels // step.groups

        def filter_tile(piece: tuple[int, int, int]) -> None:
            vertical, horizontal, group = piece
            top, left = vertical * tiling.outputs[0], horizontal * tiling.outputs[1]
            place = result[top : top + tiling.outputs[0], left : left + tiling.outputs[1]]
            sums: list[NDArray[Any]] = []
            for channel in range(per_group):
                tile = np.empty(tiling.side, number)
                source = slice(group * per_group + channel, group * per_group + channel + 1)
                padded.window(top * step.stride[0], left * step.stride[1], tile[:, :, None], source)
                spectrum = fft.rfft2(tile)
                for output in range(outputs):
                    kernel = spectra[0 if step.shared else group * outputs + output, channel]
                    if channel == 0:
                        sums.append(np.multiply(spectrum, kernel, out=spectrum if outputs == 1 else None))
                    else:
                        sums[output] += spectrum * kernel
            for output, summed in enumerate(sums):
                columns = fft.ifft(summed, axis=0, overwrite_x=True)[: step.stride[0] * place.shape[0] : step.stride[0]]
                rows = fft.irfft(columns, tiling.side[1], axis=1, overwrite_x=True)
                dense = rows[:, : step.stride[1] * place.shape[1] : step.stride[1]]
                _store(dense, task, step, group * outputs + output, place)

        pieces = product(range(tiling.count[0]), range(tiling.count[1]), range(step.groups))
        parallel.each(filter_tile, pieces, threads)
        return result


def _store(sums: NDArray[Any], task: Task, step: Conv2d, output: int, place: NDArray[Any]) -> None:
    """Divide and shift the sums (h, w) of one output channel, and put them into `place` (h, w, C')."""
    if task.exact:
        np.rint(sums, out=sums)
    if step.divisor != 1:
        sums /= step.divisor
    if step.bias is not None:
        sums += float(step.bias[output])
    stored(sums, task.target, place[:, :, output])


def _spectra(step: Conv2d, side: Pair, number: np.dtype[Any]) -> NDArray[Any]:
    """Transform the kernels, their taps `dilation` apart; (out, in / groups, L, L / 2 + 1), conjugated: a correlation."""
    outputs, per_group = step.weight.shape[:2]
    complex_number = np.complex64 if number == np.float32 else np.complex128
    spectra = np.empty((outputs, per_group, side[0], side[1] // 2 + 1), complex_number)
    plane = np.zeros(side)
    for output, channel in product(range(outputs), range(per_group)):
        view = step.field_of_view
        plane[: view[0] : step.dilation[0], : view[1] : step.dilation[1]] = step.weight[output, channel]
        np.conjugate(fft.rfft2(plane), out=spectra[output, channel], casting="same_kind")
    return spectra


def _single(task: Task, step: Conv2d) -> bool:
    """Say whether float32 will do.

    The error of a transform is relative to the largest sample of a tile, not to those of a window: that is good
    enough for pictures only, where the largest is known.
    """
    pictures = task.source in {"uint8", "uint16"}
    return task.arithmetic == "float32" and not task.exact and pictures and step.reach.terms >= FEWEST_TERMS


def _sum_error(task: Task, step: Conv2d, tiling: Tiling) -> float:
    """Bound the error of a sum in float64 by the size that the sums may have."""
    reach = step.reach
    if task.source in {"uint8", "uint16"}:
        largest = max(255.0 if task.source == "uint8" else 65535.0, reach.rim)
        size = reach.gain * abs(reach.divisor) * largest
    else:
        size = 2.0**24 if task.arithmetic == "float32" else float("inf")
    return 1e-15 * log2(tiling.points + 1) * size


def _known(task: Task) -> tuple[Conv2d, Tiling, bool]:
    step = task.step
    if not isinstance(step, Conv2d):
        raise TypeError(f"no way to compute a {type(step).__name__}")
    tiling = _tiling(task, step)
    if tiling is None:
        raise ValueError(f"no tile holds a window of {step.field_of_view}")
    return step, tiling, _single(task, step)


def _spectra_bytes(task: Task, step: Conv2d, tiling: Tiling) -> int:
    kernels = step.weight.shape[0] * step.weight.shape[1]
    spectrum: int = tiling.side[0] * (tiling.side[1] // 2 + 1) * (8 if _single(task, step) else 16)
    return kernels * spectrum


def _tiling(task: Task, step: Conv2d) -> Tiling | None:
    """Choose the tile of the least work for each axis; None where the window is too wide for any."""
    out, view, stride = task.output, step.field_of_view, step.stride
    vertical = _axis(out.height, view[0], stride[0])
    horizontal = _axis(out.width, view[1], stride[1])
    if vertical is None or horizontal is None:
        return None
    return Tiling(*zip(vertical, horizontal, strict=True))


@lru_cache(1024)
def _axis(outputs: int, window: int, stride: int) -> tuple[int, int, int] | None:
    """Give (samples of a tile, results of a tile, tiles), so that the transforms take the least time."""
    best, least = None, float("inf")
    needed = (outputs - 1) * stride + window
    for side in SIDES:
        if side < window:
            continue
        results = min((side - window) // stride + 1, outputs)
        tiles = ceil(outputs / results)
        # Sides of 512 and more no longer fit the cache: measured, by a quarter slower.
        cost = tiles * side * (4 + log2(side)) * (1 if side < 512 else 1.15)
        if cost < least:
            best, least = (side, results, tiles), cost
        if side >= needed:
            break
    return best
