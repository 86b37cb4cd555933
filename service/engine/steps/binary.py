"""Numbers that are multiples of one power of two: whole numbers, over that power."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MOST_PLACES = 24
"""Finer than that are float32's own steps, in numbers such as 0.1 and in weights that were learnt."""


def binary_places(*numbers: NDArray[np.float64]) -> int | None:
    """Count the binary places behind the point that hold all `numbers`; None where 24 are not enough, or for NaN."""
    if not _whole(numbers, MOST_PLACES):
        return None
    enough, few = MOST_PLACES, -1
    while enough - few > 1:
        middle = (enough + few) // 2
        if _whole(numbers, middle):
            enough = middle
        else:
            few = middle
    return enough


def _whole(numbers: tuple[NDArray[np.float64], ...], places: int) -> bool:
    scaled = (array * 2.0**places for array in numbers)
    return all(np.array_equal(np.rint(array), array) for array in scaled)
