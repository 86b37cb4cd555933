"""Weights of steps, read-only arrays in float64, and what steps report about them.

A weight of unknown numbers (a client may plan with shapes alone) is an array of NaN.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from service.engine.steps.binary import binary_places
from service.engine.steps.geometry import Pair, field_of_view

Weights = NDArray[np.float64]


def is_integral(numbers: Weights | None) -> bool:
    return numbers is None or bool(np.all(np.rint(numbers) == numbers))


def places_of(numbers: Weights | None) -> int | None:
    return 0 if numbers is None else binary_places(numbers)


def largest(numbers: Weights | None) -> float:
    return 0.0 if numbers is None else float(np.abs(numbers).max())


def is_unknown(weight: Weights) -> bool:
    return bool(np.isnan(weight.flat[0]))


def cancels(weight: Weights) -> bool:
    """Tell whether the weights cancel; unknown ones are assumed not to."""
    if is_unknown(weight):
        return False
    return bool(abs(weight.sum()) <= 1e-9 * np.abs(weight).sum())


def second_side(weight: Weights) -> int:
    side: int = weight.shape[1]
    return side


def last_two_sides(weight: Weights) -> Pair:
    height, width = weight.shape[-2:]
    return height, width


def views(kernel: Pair, dilation: Pair) -> Pair:
    return field_of_view(kernel[0], dilation[0]), field_of_view(kernel[1], dilation[1])


def width_by_height(size: Pair) -> str:
    """Write a (vertical, horizontal) size as width x height, as is usual for pictures."""
    return f"{size[1]}x{size[0]}"
