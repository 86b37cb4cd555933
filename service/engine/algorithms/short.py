"""When sums of 8-bit samples are exact in integers of 16 bits: twice as many as floats fit into a vector."""

from __future__ import annotations

from service.engine.algorithms.base import Task
from service.engine.steps import Weights
from service.engine.steps.binary import binary_places

ENDLESS = 2**15


def short_places(task: Task, *factors: Weights, most: float, rim: float = 0.0) -> int | None:
    """Count the places of all `factors` together; None where sums of their products need more than 16 bits.

    `most` is the largest sum of the magnitudes of the weights that meet in one sample of the output, `rim` a sample
    beyond the image.
    """
    if task.source != "uint8" or task.arithmetic != "float32" or not float(rim).is_integer():
        return None
    each = [binary_places(factor) for factor in factors]
    places = sum(place for place in each if place is not None)
    fits = None not in each and most * 2.0**places * max(255.0, abs(rim)) < ENDLESS
    return places if fits else None
