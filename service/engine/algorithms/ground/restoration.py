"""Deconvolution in the Fourier domain: find x, given the picture y = psf (*) x, a true convolution.

Each plane is restored separately, in float64. The transform treats a plane as periodic; unless the padding mode is
circular, the plane is the picture with a rim: as wide as the psf, and wider at the bottom and the right up to a size
with small prime factors, all filled by the padding mode (zeros would make edges that ring through the picture).

- "inverse": Y / P; where |P| is no more than a billionth of its largest, nothing is left to restore, and 0 is put.
- "wiener": conj(P) Y / (|P|^2 + noise_to_signal). N. Wiener, "Extrapolation, Interpolation, and Smoothing of Stationary
  Time Series" (1949), for a constant ratio of the spectra of noise and signal.
- "richardson_lucy": x <- x * (psf correlated with y / (psf (*) x)), starting with x = y. W. H. Richardson, JOSA 62, 55
  (1972); L. B. Lucy, AJ 79, 745 (1974). It knows only positive numbers: y and psf (*) x are lifted to at least a
  billionth of the largest sample.
"""

from __future__ import annotations

from math import log2
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from service.engine.algorithms.arrays import stored
from service.engine.algorithms.base import Task
from service.engine.algorithms.ground.windows import Padded
from service.engine.algorithms.rates import rates
from service.engine.steps import Restore
from service.engine.steps.geometry import Padding, Pair

NOTHING_LEFT = 1e-9
"""Relative to the largest |P|."""
DARKEST = 1e-9
"""Relative to the largest sample, for Richardson-Lucy."""

Plane = NDArray[np.float64]
Spectrum = NDArray[np.complex128]


class Restoration:
    name = "restoration"

    def accepts(self, task: Task) -> bool:
        return isinstance(task.step, Restore)

    def seconds(self, task: Task) -> float:
        step = _known(task)
        height, width = _size(task)
        points = height * width
        transforms = 4 * step.iterations if step.method == "richardson_lucy" else 2
        transform = points * log2(points + 1) * rates().fft_point_double / 2
        products = points * rates().fft_product_double * transforms
        planes = step.channels * (transforms * transform + products) + transform
        calls = rates().fft_tile * (step.channels * transforms / 2 + 1)
        return calls + planes + task.output.samples * (rates().plane_sample + rates().fft_store)

    def workspace(self, task: Task, threads: int) -> int:
        """Count nine planes: picture, estimate and ratio; the psf's and the current plane's transforms, both ways."""
        height, width = _size(task)
        return 9 * 8 * height * (width + 2) + threads * (1 << 20)

    def apply(self, task: Task, image: NDArray[Any], threads: int) -> NDArray[Any]:
        step = _known(task)
        size, (top, left) = _size(task), _corner(step)
        height, width = image.shape[:2]
        rim = Padding(top, size[0] - height - top, left, size[1] - width - left)
        padded = Padded.of(image, rim, step.padding_mode)
        transfer = _transfer(step.psf, size, threads)
        result = np.empty(task.output, task.target)
        for channel in range(step.channels):
            plane = np.empty(size)
            padded.window(0, 0, plane[:, :, None], slice(channel, channel + 1))
            if step.method == "richardson_lucy":
                restored = _richardson_lucy(plane, transfer, step.iterations, threads)
            else:
                inverse = _wiener(transfer, step.noise_to_signal) if step.method == "wiener" else _inverse(transfer)
                restored = _multiplied(plane, inverse, threads)
            stored(restored[top : top + height, left : left + width], task.target, result[:, :, channel])
        return result


def _wiener(transfer: Spectrum, noise_to_signal: float) -> Spectrum:
    """Make the Wiener filter; 0 at frequencies with neither signal nor noise."""
    power = transfer.real**2 + transfer.imag**2 + noise_to_signal
    return np.divide(transfer.conj(), power, out=np.zeros_like(transfer), where=power > 0)


def _inverse(transfer: Spectrum) -> Spectrum:
    magnitude = np.abs(transfer)
    passes = magnitude > NOTHING_LEFT * magnitude.max()
    return np.divide(1, transfer, out=np.zeros_like(transfer), where=passes)


def _richardson_lucy(picture: Plane, transfer: Spectrum, iterations: int, threads: int) -> Plane:
    floor = DARKEST * np.abs(picture).max()
    if floor == 0:
        return picture
    np.maximum(picture, floor, out=picture)
    backwards = transfer.conj()
    estimate = picture
    for _ in range(iterations):
        blurred = _multiplied(estimate, transfer, threads)
        np.maximum(blurred, floor, out=blurred)
        ratio = np.divide(picture, blurred, out=blurred)
        correction = _multiplied(ratio, backwards, threads)
        estimate = np.multiply(estimate, correction, out=correction)
    return estimate


def _multiplied(plane: Plane, factor: Spectrum, threads: int) -> Plane:
    """Multiply the spectrum of `plane` by `factor`."""
    spectrum = fft.rfft2(plane, workers=threads)
    spectrum *= factor
    product: Plane = fft.irfft2(spectrum, plane.shape, workers=threads, overwrite_x=True)
    return product


def _transfer(psf: Plane, size: Pair, threads: int) -> Spectrum:
    """Transform `psf` with its middle at the origin of a plane of `size`; a larger psf wraps around."""
    plane = np.zeros(size)
    rows = np.arange(psf.shape[0]) - psf.shape[0] // 2
    columns = np.arange(psf.shape[1]) - psf.shape[1] // 2
    np.add.at(plane, (rows[:, None] % size[0], columns % size[1]), psf)
    spectrum: Spectrum = fft.rfft2(plane, workers=threads)
    return spectrum


def _corner(step: Restore) -> Pair:
    """Return the width of the rim at the top and at the left."""
    return (0, 0) if step.padding_mode == "circular" else step.field_of_view


def _size(task: Task) -> Pair:
    step = _known(task)
    height, width = task.shape[:2]
    if step.padding_mode == "circular":
        return height, width
    top, left = _corner(step)
    return fft.next_fast_len(height + 2 * top, real=True), fft.next_fast_len(width + 2 * left, real=True)


def _known(task: Task) -> Restore:
    if not isinstance(task.step, Restore):
        raise TypeError(f"no way to compute a {type(task.step).__name__}")
    return task.step
