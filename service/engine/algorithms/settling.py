"""Exact levels by transforms in float32: how large their error can be, and how to settle the levels it leaves open.

The bound follows the errors through the passes (N. J. Higham, "Accuracy and Stability of Numerical Algorithms", chapter
24, does so for radix 2). With u the unit roundoff, the error of one pass is at most PASS[radix] u times the Euclidean
norm of its result, and TURN u more if it multiplies by roots of unity. In the forward transform the error of a
spectrum, E, is therefore a u ||X||, where a is the sum over the passes; it reaches a sample of the result as the sum of
K E / N, which is at most ||K|| ||E|| / N = a u ||k|| ||x||. In the inverse transform an error of any number reaches a
sample with the factor 1/N, and a pass errs by as many u times the sum of its input magnitudes, which never exceeds that
of the spectrum, |K X|: together a u ||K|| ||X|| / N, the same again.
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
"""By radix, if each product and each sum is rounded separately."""
TURN = 3.3
"""A complex product errs by the square root of 5, the root of unity by 1."""
SLACK = 1.01
"""Factor that covers terms in u squared."""
CENTER = 128.0
"""Subtracted from 8-bit samples: this halves their largest magnitude."""
LARGEST_SUM = 2**31
LARGEST_WEIGHT = 2**15 - 1


def settles(task: Task, step: Conv2d) -> bool:
    """Tell whether integers can settle the levels of a task: 8 bits, each channel filtered separately."""
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

    `radices` are those of the passes down a tile and along it. Two tiles are transformed as one, as real and imaginary
    part.
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
    """Compute what to add to the results of each output channel: the bias, and the share that CENTER took away."""
    taken: NDArray[np.float64] = CENTER * step.weight.sum(axis=(1, 2, 3)) / step.divisor
    return taken if step.bias is None else taken + step.bias


def doubtful(step: Conv2d, radices: tuple[list[int], list[int]]) -> float:
    """Estimate the share of samples whose level is left open."""
    return min(1.0, 2 * float(error(step, radices).mean()))


def windows(step: Conv2d) -> Windows:
    """Lay out the weights in the loop's order."""
    channels, weight = step.in_channels, step.weight[:, 0]
    width = (step.field_of_view[1] - 1) * channels + 1  # from the first tap to the last
    rows = np.zeros((*weight.shape[:2], ceil(width / AT_ONCE) * AT_ONCE), np.int16)
    rows[:, :, : width : step.dilation[1] * channels] = weight
    bias = (np.zeros(channels) if step.bias is None else np.resize(step.bias, channels)).astype(np.float64)
    outside = int(step.padding_value) if step.padding_mode == "constant" else 0
    return Windows(rows, width, step.stride, step.dilation[0], channels, outside, float(step.divisor), bias)
