"""Find where narrower numbers than usual keep sums of 8-bit samples exact: more of them fit into a vector."""

from __future__ import annotations

from collections.abc import Sequence
from math import frexp

import numpy as np

from service.engine.algorithms.base import Task
from service.engine.steps import Weights
from service.engine.steps.binary import binary_places
from service.engine.steps.precision import EXACT_BELOW, LEVELS

ENDLESS = 2**15
HIGHEST = 255
"""The largest sample."""


def short_places(task: Task, *factors: Weights, most: float, rim: float = 0.0) -> int | None:
    """Count the places of all `factors` together; None if sums of their products need more than 16 bits.

    `most` is the largest sum of the magnitudes of the weights that meet in one output sample, `rim` a sample beyond the
    image.
    """
    if task.source != "uint8" or task.arithmetic != "float32" or not float(rim).is_integer():
        return None
    each = [binary_places(factor) for factor in factors]
    places = sum(place for place in each if place is not None)
    fits = None not in each and most * 2.0**places * max(255.0, abs(rim)) < ENDLESS
    return places if fits else None


def single_suffices(
    task: Task, down: Sequence[Weights], along: Sequence[Weights], divisor: float, rim: float = 0.0
) -> bool:
    """Tell whether float32 gives the exact levels of two passes that call for float64, if smaller taps are added first.

    Integer sums below 2^24 are exact in any order. Suppose that along a row all but the last sum of each output stay
    below, whatever the samples. Then the last sum is rounded at most once. Below 2^24 it is not rounded; from 2^24 on
    it stays there, so over the divisor it is beyond the levels and clipped, as the exact sum is. `down` and `along` are
    the taps of each phase, `rim` is a sample beyond the image.
    """
    eight_bits = (task.source, task.target) == ("uint8", "uint8")
    sound = 0 < divisor * LEVELS <= EXACT_BELOW and frexp(divisor)[0] == 0.5 and rim in range(HIGHEST + 1)
    if not (task.exact and eight_bits and sound):
        return False
    lines = [_extremes(weights, 0, HIGHEST) for weights in down]
    least, most = min(low for low, _ in lines), max(high for _, high in lines)
    if max(-least, most) > EXACT_BELOW:
        return False
    for weights in along:
        ordered = sorted(weights.tolist(), key=abs)
        parts = [_extremes(np.array(part), least, most) for part in (ordered[:-1], ordered[-1:])]
        if max(abs(bound) for part in parts for bound in part) > EXACT_BELOW:
            return False
    return True


def _extremes(weights: Weights, least: float, most: float) -> tuple[float, float]:
    """Bound the sums of any subset of the products from below and above, whatever the samples."""
    ends = np.array([weights * least, weights * most, np.zeros(len(weights))])
    return float(ends.min(axis=0).sum()), float(ends.max(axis=0).sum())
