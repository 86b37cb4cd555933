"""Sums of shifted slices: each tap is a slice of the window from another corner, times its weight."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.engine.algorithms.base import Task
from service.engine.algorithms.ground.grids import every
from service.engine.algorithms.rates import rates
from service.engine.steps import Weights

TAP_BYTES = 512
"""Bytes per tap in the lists that sort taps."""


class Group(NamedTuple):
    """Taps of one magnitude: the first has `weight`, those in `against` have the opposite weight.

    Samples are added up first and multiplied once per group. Places are (row, column).
    """

    weight: float
    first: tuple[int, int]
    along: list[tuple[int, int]]
    against: list[tuple[int, int]]


def groups(kernel: Weights, rows: Sequence[int], columns: Sequence[int], *, zeros: bool) -> list[Group]:
    """Sort the taps of `kernel` (kH, kW), at `rows` x `columns`, by magnitude.

    With `zeros`, taps of weight 0 are kept: 0 times infinity or NaN is NaN.
    """
    found: dict[float, Group] = {}
    for row, weights in zip(rows, kernel.tolist(), strict=True):
        for column, weight in zip(columns, weights, strict=True):
            if weight == 0 and not zeros:
                continue
            group = found.get(abs(weight))
            if group is None:
                found[abs(weight)] = Group(weight, (row, column), [], [])
            else:
                (group.along if weight == group.weight else group.against).append((row, column))
    return list(found.values())


def passes(kernel: Weights) -> int:
    """Bound the passes that `add_up` makes over the numbers of a sum."""
    return int(np.count_nonzero(kernel)) + 2 * len(np.unique(np.abs(kernel))) + 1


def add_up(window: NDArray[Any], taps: list[Group], steps: tuple[int, int], shape: tuple[int, int]) -> NDArray[Any]:
    """Sum the samples that the taps see of `window` (planes, h, w), `steps` apart; returns (planes, *shape)."""
    sums = np.zeros((len(window), *shape), window.dtype)
    part = np.empty_like(sums)

    def seen(place: tuple[int, int]) -> NDArray[Any]:
        rows, columns = (every(*axis) for axis in zip(place, shape, steps, strict=True))
        return window[:, rows, columns]

    for weight, first, along, against in taps:
        number = window.dtype.type(weight)
        together = seen(first)
        for add, places in ((np.add, along), (np.subtract, against)):
            for place in places:
                together = add(together, seen(place), out=part)
        if abs(weight) != 1:
            together = np.multiply(together, number, out=part)
        (np.subtract if weight == -1 else np.add)(sums, together, out=sums)
    return sums


def finished(sums: NDArray[Any], divisor: float, bias: Weights | float, task: Task) -> NDArray[Any]:
    """Divide the sums (h, w, channels) and add each channel's bias; floats in place, integers as the task says."""
    number = sums.dtype if sums.dtype.kind == "f" else np.dtype(task.arithmetic)
    place = sums if sums.dtype == number else None
    if divisor != 1:
        sums = place = np.divide(sums, number.type(divisor), out=place, dtype=number)
    if np.any(bias):
        shift = float(np.max(bias)) if np.ptp(bias) == 0 else np.asarray(bias, number)
        sums = np.add(sums, shift, out=place, dtype=number)
    return sums


def storing_seconds(task: Task, divisor: float) -> float:
    """Predict the time to divide, round, clip and store sums."""
    passes = 1 + (divisor != 1) + (np.dtype(task.target).kind == "u")
    return task.output.samples * passes * rates().ground_sample
