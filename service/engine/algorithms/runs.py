"""Turn kernels into the loops' tables: columns of taps that rows share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

import numpy as np

from service.engine.algorithms.rates import rates
from service.engine.loops.sums import Taps
from service.engine.steps.precision import Arithmetic

Number = Arithmetic | Literal["int16"]
"""The number type of strips, taps and sums."""

WORTH_A_CUT = 2
"""Zeros in a row worth a cut: a new column costs the loads of three lines, a zero costs four products."""


class Column(NamedTuple):
    """Taps below one another: `offset` of the first in the strip; the others follow at the spacing of grouped rows."""

    offset: int
    weights: tuple[float, ...]


def table(planes: Iterable[Iterable[Column]], number: Number, distance: int, *, skip_zeros: bool) -> Taps:
    """Tabulate the columns of each plane; taps are `distance` numbers apart.

    Weights of 0 may be skipped if no sample is infinite or NaN.
    """
    weights: list[float] = []
    offsets: list[int] = []
    starts = [0]
    bounds: list[tuple[int, int]] = []
    for columns in planes:
        first = len(offsets)
        for column in columns:
            for start, end in runs(column.weights) if skip_zeros else [(0, len(column.weights))]:
                offsets.append(column.offset + start * distance)
                weights += column.weights[start:end]
                starts.append(len(weights))
        bounds.append((first, len(offsets)))
    return Taps(
        np.array(weights, number),
        np.array(offsets, np.intp),
        np.array(starts, np.intp),
        np.array(bounds, np.intp).reshape(len(bounds), 2),
    )


def no_taps(number: Number) -> Taps:
    return table([], number, 0, skip_zeros=False)


def runs(weights: tuple[float, ...]) -> Iterator[tuple[int, int]]:
    """Cut a column of taps into (start, end), without zeros at its ends or runs of zeros that are worth a cut."""
    if weights and 0 not in weights:
        yield 0, len(weights)
        return
    start = end = 0
    for tap, weight in enumerate(weights):
        if weight == 0:
            continue
        if end and tap - end >= WORTH_A_CUT:
            yield start, end
            start = tap
        elif not end:
            start = tap
        end = tap + 1
    if end:
        yield start, end


def separable_tap_seconds(number: Number) -> float:
    """Predict the time of one product in one of two passes."""
    return {
        "int16": rates().separable_tap_short,
        "float32": rates().separable_tap,
        "float64": rates().separable_tap_double,
    }[number]
