"""Turn weights that are multiples of 1/2, 1/4 ... into integers over a larger divisor, so their sums are exact."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import numpy as np

from service.engine.steps import Conv2d, ConvTranspose2d, Step, Weights
from service.engine.steps.binary import binary_places

LARGEST_SUM = 2.0**37
"""Bound on the sum of the magnitudes of integer weights: with 16-bit samples float64 still holds the sums."""

AnyStep = TypeVar("AnyStep", Conv2d, ConvTranspose2d)


def in_integers(step: Step) -> Step:
    """Return the same step, with integer weights if these are multiples of a power of two."""
    match step:
        case Conv2d():
            return _convolution(step)
        case ConvTranspose2d():
            scale = _scale(step.weight)
            return _enlarged(step, scale) if _fits(step.weight, scale, (0, 2, 3)) else step
        case _:
            return step  # its weights are integers already, or its sums cannot be exact


def _convolution(step: Conv2d) -> Conv2d:
    column, row = _scale(step.weight), 1.0
    if step.factors is not None and binary_places(*step.factors) is not None:
        column, row = (_scale(factor) for factor in step.factors)
    if not _fits(step.weight, column * row, (1, 2, 3)):
        return step
    factors = step.factors and (step.factors[0] * column, step.factors[1] * row)
    return replace(_enlarged(step, column * row), factors=factors)


def _scale(numbers: Weights) -> float:
    return 2.0 ** (binary_places(numbers) or 0)


def _enlarged(step: AnyStep, scale: float) -> AnyStep:
    return step if scale == 1 else replace(step, weight=step.weight * scale, divisor=step.divisor * scale)


def _fits(weight: Weights, scale: float, axes: tuple[int, ...]) -> bool:
    return scale > 1 and scale * float(np.abs(weight).sum(axis=axes).max()) <= LARGEST_SUM
