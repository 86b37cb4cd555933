"""Exact levels by transforms in float32: how wrong these can be, and what settles the levels that this leaves open.

The bound follows the errors through the passes (N. J. Higham, "Accuracy and Stability of Numerical Algorithms", chapter
24, does so for radix 2). With u the unit roundoff, one pass is wrong by at most PASS[radix] u of the Euclidean norm of
what it gives, by TURN u more where it multiplies by roots of unity. On the way forwards the error of a spectrum, E, is
therefore a u ||X||, where a is the sum over the passes, and reaches a sample of the result as the sum of K E / N, which
is no more than ||K|| ||E|| / N = a u ||k|| ||x||. Backwards an error of any number reaches a sample with the factor
1/N, and a pass errs by as many u of the sum of the magnitudes that it is given, which is never above that of the
spectrum, |K X|: together a u ||K|| ||X|| / N, the same again.
"""

from __future__ import annotations

from math import ceil, sqrt

import numpy as np
from numpy.typing import NDArray

from service.engine.algorithms.base import Task
from service.engine.loops.settling import AT_ONCE, Windows
from service.engine.steps import Conv2d
from service.engine.steps.precision import UNIT_ROUNDOFF

PASS = {3: 7.0, 4: 3.0, 8: 6.0}
"""By radix, where products and sums are rounded each for itself."""
TURN = 3.3
"""A complex product errs by the root of 5, and the root of unity by 1."""
SLACK = 1.01
"""Covers terms in the square of u."""
CENTER = 128.0
"""Is taken from samples of 8 bits: it halves their largest magnitude."""
LARGEST_SUM = 2**31
LARGEST_WEIGHT = 2**15 - 1


def settles(task: Task, step: Conv2d) -> bool:
    """Say whether whole numbers can settle the levels of a task: of 8 bits, each channel filtered by itself."""
    sums = np.abs(step.weight).sum(axis=(1, 2, 3)).max() * max(255.0, abs(step.padding_value))
    return (
        (task.source, task.target, task.places) == ("uint8", "uint8", 0)
        and step.weight.shape[1] == 1
        and step.in_channels == step.out_channels
        and bool(np.abs(step.weight).max() <= LARGEST_WEIGHT)
        and bool(sums < LARGEST_SUM)
    )


def error(step: Conv2d, radices: tuple[list[int], list[int]]) -> NDArray[np.float64]:
    """Bound the error of a result before it is rounded, for each output channel, in levels.

    `radices` are those of the passes down a tile and along it. Two tiles, real and imaginary part, are one.
    """
    passes = sum(PASS[radix] for axis in radices for radix in axis) + TURN * sum(len(axis) - 1 for axis in radices)
    largest = max(CENTER, abs(step.padding_value - CENTER))
    points = float(np.prod([np.prod(axis) for axis in radices]))
    weight = step.weight.reshape(len(step.weight), -1) / abs(step.divisor)
    norm = np.sqrt((weight**2).sum(axis=1)) * largest * sqrt(2 * points)
    size = np.abs(weight).sum(axis=1) * largest + np.abs(shift(step))
    bound: NDArray[np.float64] = SLACK * UNIT_ROUNDOFF * ((2 * passes + TURN) * norm + 4 * size)
    return bound


def shift(step: Conv2d) -> NDArray[np.float64]:
    """Give what is to be added to the results, for each output channel: the bias, and what CENTER took away."""
    taken: NDArray[np.float64] = CENTER * step.weight.sum(axis=(1, 2, 3)) / step.divisor
    return taken if step.bias is None else taken + step.bias


def doubtful(step: Conv2d, radices: tuple[list[int], list[int]]) -> float:
    """Estimate the part of the samples whose level is left open."""
    return min(1.0, 2 * float(error(step, radices).mean()))


def windows(step: Conv2d) -> Windows:
    """Lay out the weights as the loop meets them."""
    channels, weight = step.in_channels, step.weight[:, 0]
    width = (step.field_of_view[1] - 1) * channels + 1  # from the first tap to the last
    rows = np.zeros((*weight.shape[:2], ceil(width / AT_ONCE) * AT_ONCE), np.int16)
    rows[:, :, : width : step.dilation[1] * channels] = weight
    bias = (np.zeros(channels) if step.bias is None else np.resize(step.bias, channels)).astype(np.float64)
    outside = int(step.padding_value) if step.padding_mode == "constant" else 0
    return Windows(rows, width, step.stride, step.dilation[0], channels, outside, float(step.divisor), bias)
