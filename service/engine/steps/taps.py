"""Taps along one axis: samples of Gaussians and interpolating functions, and the factors of a kernel."""

from __future__ import annotations

from collections.abc import Callable
from math import gcd

import numpy as np

from service.engine.steps import Conv2d, Weights
from service.engine.steps.binary import binary_places

RANK_ONE = 1e-12
"""How far the outer product of two factors may be from their kernel, relative to its largest number."""


def places(size: int) -> Weights:
    """Count positions from the middle of `size` samples: -1, 0, 1, or halves if `size` is even."""
    return np.arange(size, dtype=np.float64) - (size - 1) / 2


def gaussian_size(sigma: float) -> int:
    """Cut a Gaussian where `scipy.ndimage.gaussian_filter` does: at a radius of int(4 sigma + 0.5) samples."""
    return 2 * int(4 * sigma + 0.5) + 1


def gaussian_taps(sigma: float, size: int) -> Weights:
    """Sample a centred Gaussian at `size` places; the taps sum to 1."""
    exponents = -0.5 * (places(size) / sigma) ** 2
    taps = np.exp(exponents - exponents.max())  # the largest is 1, so the sum is never 0, however small sigma is
    return np.asarray(taps / taps.sum())


def interpolation_taps(factor: int, weight: Callable[[Weights], Weights], reach: int) -> Weights:
    """Sample `weight`, a function of distance that is 0 from `reach` on, at the outputs around one sample.

    Pixel centres lie at half-integers, so output j is at (j + 1/2) / factor - 1/2 in samples of the input. There are 2
    reach factor taps, less one that would be 0 if the factor is odd; they sum to `factor`.
    """
    size = 2 * reach * factor - factor % 2
    return np.asarray(weight(np.abs(places(size) / factor)))


def triangle(distance: Weights) -> Weights:
    """Weight by linear interpolation."""
    return np.asarray(np.maximum(0, 1 - distance))


def cubic(distance: Weights, sharpness: float) -> Weights:
    """Weight by cubic convolution (R. Keys, 1981) with a = `sharpness`: one polynomial up to 1, and one up to 2."""
    near = ((sharpness + 2) * distance - (sharpness + 3)) * distance**2 + 1
    far = sharpness * (((distance - 5) * distance + 8) * distance - 4)
    return np.where(distance < 1, near, np.where(distance < 2, far, 0))


def lanczos3(distance: Weights) -> Weights:
    """Weight by sinc(d) sinc(d / 3) up to 3 (C. Lanczos; as Pillow and libvips cut it)."""
    return np.where(distance < 3, np.sinc(distance) * np.sinc(distance / 3), 0)


def whole(taps: Weights, over: int) -> tuple[Weights, int]:
    """Write `taps`, multiples of 1 / `over`, as integers over the least possible divisor."""
    numbers = np.rint(taps * over)
    common = gcd(over, *(int(number) for number in numbers))
    return numbers / common, over // common


def factors(kernel: Weights) -> tuple[Weights, Weights] | None:
    """Split a kernel (kH, kW) of rank one into (column, row) with the kernel as outer product; None for any other.

    An integer kernel has integer factors; a kernel of multiples of 1/2, 1/4 ... has such factors too.
    """
    places = binary_places(kernel) or 0
    if places:  # split between both factors, lest large samples overflow float32 between the passes
        found = factors(kernel * 2.0**places)
        return found and (found[0] * 2.0 ** -(places // 2), found[1] * 2.0 ** (places // 2 - places))
    peak = np.unravel_index(np.abs(kernel).argmax(), kernel.shape)
    if kernel[peak] == 0:
        return None
    column = kernel[:, peak[1]]
    if bool(np.all(np.rint(kernel) == kernel)):
        column = column / gcd(*(int(number) for number in column))
    if column[np.abs(column).argmax()] < 0 and bool(np.all(column <= 0)):
        column = -column
    row = kernel[peak[0]] / column[peak[0]]
    error = np.abs(np.multiply.outer(column, row) - kernel).max()
    return (column, row) if error <= RANK_ONE * abs(kernel[peak]) else None


def factors_of(step: Conv2d, *, exact: bool) -> tuple[Weights, Weights] | None:
    """Return a column and a row whose outer product is the kernel shared by all channels; None if there are none.

    With `exact` they are integers if the kernel is, so the sums between the passes are integers too.
    """
    if not step.shared:
        return None
    if step.factors is not None and (not exact or all(np.all(np.rint(factor) == factor) for factor in step.factors)):
        return step.factors
    return factors(step.weight[0, 0])
