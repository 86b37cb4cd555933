"""Numbers that are multiples of one power of two, so integers over a power of two."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MOST_PLACES = 24
"""float32's own steps, as in 0.1 and in learnt weights, are finer than this."""


def binary_places(*numbers: NDArray[np.float64]) -> int | None:
    """Count the binary places that hold all `numbers` exactly; None if 24 are not enough, or for NaN."""
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
