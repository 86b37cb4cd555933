"""Between the interleaved samples of an image and the planes of floats that transforms take."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.engine.loops.compiler import compiled

Positions = NDArray[np.intp]


@compiled
def gather(
    image: NDArray[Any], rows: Positions, columns: Positions, value: float, first: int, step: int, planes: NDArray[Any]
) -> None:
    """Fill `planes` (n, h, w) with the channels first, first + step, ... of `image` (H, W, C) at `rows` and `columns`.

    Where these are negative the planes hold `value`, and 0 beyond the last of them.
    """
    count, height, _ = planes.shape
    for v in range(height):
        if v >= len(rows) or rows[v] < 0:
            planes[:, v] = 0.0 if v >= len(rows) else value
            continue
        line = image[rows[v]]
        for n in range(count):
            plane, channel = planes[n, v], first + n * step
            for h in range(len(columns)):
                column = columns[h]
                plane[h] = line[column, channel] if column >= 0 else value
            plane[len(columns) :] = 0.0


@compiled
def store_integers(sums: NDArray[Any], divisor: Any, bias: Any, highest: Any, place: NDArray[Any]) -> None:
    """Put sums / divisor + bias, rounded half to even and clipped to 0..highest, into `place` (h, w) of integers.

    The numbers are of the type of the sums: a wider one would widen all.
    """
    nothing = highest - highest
    for v in range(place.shape[0]):
        line, target = sums[v], place[v]
        for h in range(len(target)):
            # Conditions, not min and max: these have a rule for NaN that costs a third of the time.
            number = line[h] / divisor + bias
            number = number if number > nothing else nothing  # noqa: FURB136
            number = number if number < highest else highest  # noqa: FURB136
            target[h] = np.int32(np.rint(number))


def warm() -> None:
    """Compile both loops for all that they are given: samples of each type, and sums, side by side and apart."""
    nowhere = np.zeros(1, np.intp)
    for sample in (np.uint8, np.uint16, np.float32, np.float64):
        gather(np.zeros((1, 1, 1), sample), nowhere, nowhere, 0.0, 0, 1, np.zeros((1, 2, 4)))
    for number in (np.float32, np.float64):
        plane = np.zeros((1, 2, 4), number)
        for sample in (np.uint8, np.uint16):
            places = np.zeros((4, 2, 2), sample)
            for sums in (plane[0, :, :2].copy(), plane[0, :, ::2]):
                for place in (places[0], places[:2, :, 0]):
                    store_integers(sums, number(1), number(0), number(255), place)
