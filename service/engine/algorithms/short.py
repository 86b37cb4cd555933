"""When sums of 8-bit samples are exact in integers of 16 bits: twice as many as floats fit into a vector."""

from __future__ import annotations

import numpy as np

from service.engine.algorithms.base import Task
from service.engine.steps import Weights

MOST_PLACES = 8
ENDLESS = 2**15


def binary_places(weights: Weights) -> int | None:
    """Count the binary places behind the point that hold `weights` exactly; None where 8 are not enough.

    Weights that are multiples of 1/2, 1/4 ... become integers, at a scale that is taken back without an error.
    """
    for places in range(MOST_PLACES + 1):
        scaled = weights * 2.0**places
        if np.array_equal(np.rint(scaled), scaled):
            return places
    return None


def short_places(task: Task, *factors: Weights, most: float, rim: float = 0.0) -> int | None:
    """Count the places of all `factors` together; None where sums of their products need more than 16 bits.

    `most` is the largest sum of the magnitudes of the weights that meet in one sample of the output, `rim` a sample
    beyond the image.
    """
    if task.source != "uint8" or task.arithmetic != "float32" or not float(rim).is_integer():
        return None
    each = [binary_places(factor) for factor in factors]
    places = sum(place for place in each if place is not None)
    fits = most * 2.0**places * max(255.0, abs(rim)) < ENDLESS
    return places if fits and None not in each else None
