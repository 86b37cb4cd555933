"""PNG's row filters in NumPy, on the ground floor (PNG specification, third edition, section 9).

Rows are uint8, (rows, bytes); filtered rows begin with the number of their filter. `pixel`, from 1 to 8, is the
distance in bytes to the sample on the left.
"""

from __future__ import annotations

from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

NONE, SUB, UP, AVERAGE, PAETH = range(5)

Rows = NDArray[np.uint8]

HIGHEST = 1024
"""Rows that advance together, or the number of pixels in a row if that is larger."""


def filter_rows(rows: Rows, first: int, pixel: int, swapped: bool, filtered: Rows) -> None:  # noqa: FBT001
    """Write rows from `first` on, each minus the mean of left and above, after the number of that filter.

    With any other single filter for all rows, photographs deflate to more bytes and take longer. `filtered` is (rows, 1
    + bytes). `swapped` says that the bytes of each pair must be swapped.
    """
    some = rows[max(0, first - 1) : first + len(filtered)]
    if swapped:
        some = some.view(np.uint16).byteswap().view(np.uint8)
    own, residuals = some[len(some) - len(filtered) :], filtered[:, 1:]
    filtered[:, 0] = AVERAGE
    guess = np.zeros_like(own)  # of the row above
    guess[len(own) - len(some) + 1 :] = some[:-1]
    left = own[:, :-pixel]
    mean(left, guess[:, pixel:], out=guess[:, pixel:])
    guess[:, :pixel] >>= 1
    np.subtract(own, guess, out=residuals)


def unfilter_rows(filtered: Rows, prior: Rows, pixel: int, out: Rows) -> bool:
    """Undo the filters of rows (rows, 1 + bytes) into `out` (rows, bytes).

    `prior` (bytes,) is the row above the first one, zeros at the top. Returns False if a row names an unknown filter.
    """
    ways = filtered[:, 0]
    if ways.max(initial=0) > PAETH:
        return False
    waiting = np.flatnonzero(ways >= AVERAGE)
    start, stop = (int(waiting[0]), int(waiting[-1]) + 1) if len(waiting) else (0, 0)
    for undo, some in (
        (_undo_each, slice(start)),
        (_undo_together, slice(start, stop)),
        (_undo_each, slice(stop, None)),
    ):
        undo(filtered[some], prior, pixel, out[some])
        prior = out[some][-1] if len(out[some]) else prior
    return True


def _undo_each(filtered: Rows, prior: Rows, pixel: int, out: Rows) -> None:
    """Undo rows that need only the sum of the pixels on the left, or above."""
    stop = 0
    for way, group in groupby(filtered[:, 0].tolist()):
        start, stop = stop, stop + len(list(group))
        residuals, rows = filtered[start:stop, 1:], out[start:stop]
        if way == SUB:
            pixels = len(rows), -1, pixel
            np.add.accumulate(residuals.reshape(pixels), axis=1, dtype=np.uint8, out=rows.reshape(pixels))
        elif way == UP:
            np.add.accumulate(residuals, axis=0, dtype=np.uint8, out=rows)
            rows += prior
        else:
            rows[:] = residuals
        prior = rows[-1]


def _undo_together(filtered: Rows, prior: Rows, pixel: int, out: Rows) -> None:
    """Undo rows of any filters: a pixel needs the one on its left, so each row runs one pixel behind the row above."""
    count = max(HIGHEST, out.shape[1] // pixel)
    for start in range(0, len(out), count):
        _undo_slanting(filtered[start : start + count], prior, pixel, out[start : start + count])
        prior = out[min(start + count, len(out)) - 1]


def _undo_slanting(filtered: Rows, prior: Rows, pixel: int, out: Rows) -> None:
    """Lay the rows out on a slant: step t has pixel t - r of row r; row 0 is `prior`, pixel 0 is left of all others."""
    rows, width = len(out), out.shape[1] // pixel
    lanes = np.zeros((width + rows + 1, rows + 1, pixel), np.uint8)
    step, row, byte = lanes.strides
    slanting = np.lib.stride_tricks.as_strided(lanes[1:], (rows + 1, width, pixel), (step + row, step, byte))
    slanting[0] = prior.reshape(width, pixel)
    slanting[1:] = filtered[:, 1:].reshape(rows, width, pixel)
    ways = np.repeat(filtered[:, 0], pixel)
    masks = {way: np.where(ways == way, np.uint8(255), np.uint8(0)) for way in PREDICTIONS if way in ways}
    flat = lanes.reshape(len(lanes), -1)
    for t in range(2, width + rows + 1):
        # Only the rows that have a pixel in this step; those above them are one pixel ahead.
        first, last = max(1, t - width), min(rows, t - 1)
        own, above = slice(first * pixel, (last + 1) * pixel), slice((first - 1) * pixel, last * pixel)
        a, b, c, here = flat[t - 1, own], flat[t - 1, above], flat[t - 2, above], flat[t, own]
        for way, mask in masks.items():
            here += PREDICTIONS[way](a, b, c) & mask[above]
    out.reshape(rows, width, pixel)[:] = slanting[1:]


def mean(a: Rows, b: Rows, out: Rows | None = None) -> Rows:
    """Halve a + b, rounded down, using bytes only."""
    half = a ^ b
    half >>= 1
    total: Rows = np.add(a & b, half, out=out)
    return total


def nearest(a: Any, b: Any, c: Any) -> Any:
    """Compute Paeth's prediction in bytes only; it equals the specification's for all a (left), b (above), c (corner).

    If c lies between the lower and the higher of a and b, a + b - c is as far from the lower as the higher is from c,
    and the other way round; its distance from c is the difference of these two distances. Otherwise one distance counts
    as 0.
    """
    low, high = np.minimum(a, b), np.maximum(a, b)
    to_low, to_high = np.maximum(high, c) - c, np.maximum(low, c) - low
    less, more = np.minimum(to_low, to_high), np.maximum(to_low, to_high)
    nearer = np.where(to_low < to_high, low, high)
    return np.where(less <= more - less, nearer, c)


PREDICTIONS = {
    SUB: lambda a, _b, _c: a,
    UP: lambda _a, b, _c: b,
    AVERAGE: lambda a, b, _c: mean(a, b),
    PAETH: nearest,
}
"""The value predicted for a pixel, by what stands left, above, and above on the left."""
