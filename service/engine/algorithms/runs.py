"""From kernels to the tables that the loops read: which taps are summed in one go."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np

from service.engine.loops.convolution import Taps
from service.engine.precision import Arithmetic

Number = Arithmetic | Literal["int16"]
"""Of strips, taps and sums."""

COSTS = {5: 6.5, 3: 4.0, 1: 2.2}
"""Cycles that a run of so many taps takes for 16 samples of one row, measured with four rows together."""
FILLED = {3: 4, 6: 8, 7: 8}
"""Single taps are summed by eights and fours and one by one; so many are worth filling up with weights of 0."""


class Column(NamedTuple):
    """Taps below one another: `offset` of the first in the strip; the others follow at the distance of grouped rows."""

    offset: int
    weights: tuple[float, ...]


def table(
    planes: Iterable[Sequence[Column]], number: Number, distance: int, *, together: bool, skip_zeros: bool
) -> Taps:
    """Tabulate the columns of each plane, in which taps are `distance` floats apart.

    `together` makes runs for rows that are summed together. A weight of 0 may be skipped where no sample is infinite or
    NaN.
    """
    weights: list[float] = []
    offsets: list[int] = []
    bounds: list[tuple[int, ...]] = []
    for columns in planes:
        runs = sorted(
            (-size, start, column.offset + start * distance, column.weights[start : start + size])
            for column in columns
            for start, size in split(column.weights, together=together, skip_zeros=skip_zeros)
        )
        singles = sum(size == -1 for size, *_ in runs)
        if skip_zeros and singles % 8 in FILLED:
            runs += [(-1, 0, runs[-1][2], (0.0,))] * (FILLED[singles % 8] - singles % 8)
        sizes = [-size for size, *_ in runs]
        first = len(offsets)
        bounds.append(
            (
                first,
                first + sizes.count(5),
                first + sizes.count(5) + sizes.count(3),
                first + len(sizes),
                len(weights),
            )
        )
        offsets += [offset for _, _, offset, _ in runs]
        weights += [weight for *_, those in runs for weight in those]
    return Taps(
        np.array(weights, number), np.array(offsets, np.intp), np.array(bounds, np.intp).reshape(len(bounds), 5)
    )


def no_taps(number: Number) -> Taps:
    return table([], number, 0, together=False, skip_zeros=False)


def split(weights: tuple[float, ...], *, together: bool = True, skip_zeros: bool = False) -> list[tuple[int, int]]:
    """Cut a column of taps into (start, size) of runs of 5, 3 and 1, at the least cost in all."""
    if not together:
        return [(start, 1) for start, weight in enumerate(weights) if weight != 0 or not skip_zeros]
    return list(_cheapest(tuple(weight == 0 and skip_zeros for weight in weights)))


@lru_cache(maxsize=256)
def _cheapest(free: tuple[bool, ...]) -> tuple[tuple[int, int], ...]:
    """From the end on: the best way to sum all taps from each position; a tap that is `free` may be left out."""
    best: list[tuple[float, tuple[tuple[int, int], ...]]] = [(0.0, ())] * (len(free) + 1)
    for start in reversed(range(len(free))):
        ways = [
            (cost + best[start + size][0], ((start, size), *best[start + size][1]))
            for size, cost in COSTS.items()
            if start + size <= len(free)
        ]
        if free[start]:
            ways.append(best[start + 1])
        best[start] = min(ways)
    return best[0][1]
