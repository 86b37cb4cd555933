"""PNG's row filters (PNG specification, third edition, section 9); unfilter.py undoes them.

Rows are uint8 (rows, bytes); `prior` is the row above, zeros at the top; `pixel` is the distance in bytes to the sample
on the left. Trap: whole-row slices let the compiler prove that no index is negative, and a cast
after each operation keeps a vector full of small lanes; without either these loops are ten times slower.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.engine.loops.compiler import compiled

NONE, SUB, UP, AVERAGE, PAETH = range(5)

Rows = NDArray[np.uint8]


_LARGE = 16
"""From here on a residual is as bad as any other: its code is about as long. Files become up to 2 per cent smaller."""
_AT_ONCE = 4096 - 1
"""Residuals of which the magnitudes, up to `_LARGE` each, can be summed in 16 bits."""


@compiled
def filter_rows(rows: Rows, first: int, pixel: int, swapped: bool, filtered: Rows) -> None:  # noqa: FBT001
    """Write rows from `first` on, each filtered in the way that leaves the smallest magnitudes, behind its number.

    `filtered` is (rows, 1 + bytes). `swapped` says that the bytes of each pair have to change places.
    """
    lines = np.zeros((2, rows.shape[1]), np.uint8)
    if first:
        _fetch(rows[first - 1], swapped, lines[1])
    for index in range(len(filtered)):
        row, prior, out = lines[index & 1], lines[~index & 1], filtered[index, 1:]
        _fetch(rows[first + index], swapped, row)
        way = _best_way(row, prior, pixel)
        filtered[index, 0] = way
        if way == NONE:
            _copy(row, out)
        elif way == SUB:
            _sub(row, pixel, out)
        elif way == UP:
            _up(row, prior, out)
        elif way == AVERAGE:
            _average(row, prior, pixel, out)
        else:
            _paeth(row, prior, pixel, out)


@compiled
def _fetch(row: Rows, swapped: bool, line: Rows) -> None:  # noqa: FBT001
    if not swapped:
        _copy(row, line)
        return
    for i in range(0, len(row), 2):
        line[i], line[i + 1] = row[i + 1], row[i]


@compiled
def _copy(row: Rows, out: Rows) -> None:
    for i in range(len(row)):  # `out[:] = row` goes byte by byte, and takes two seconds to compile
        out[i] = row[i]


@compiled
def _best_way(row: Rows, prior: Rows, pixel: int) -> int:
    """Find the way with the smallest sum of magnitudes, of all pixels but the first.

    Of equal ones it is NONE, as in rows of zeros, or else UP, as in a row like that above it.
    """
    rest = len(row) - pixel
    left, above, corner, current = row[:rest], prior[pixel:], prior[:rest], row[pixel:]
    none: Any = 0
    sub, up, average, paeth = none, none, none, none
    for start in range(0, rest, _AT_ONCE):
        stop = min(start + _AT_ONCE, rest)
        a, b, c, x = left[start:stop], above[start:stop], corner[start:stop], current[start:stop]
        nones = np.uint16(0)
        subs, ups, averages, paeths = nones, nones, nones, nones
        for i in range(len(x)):
            nones = np.uint16(nones + _magnitude(x[i]))
            subs = np.uint16(subs + _magnitude(np.uint8(x[i] - a[i])))
            ups = np.uint16(ups + _magnitude(np.uint8(x[i] - b[i])))
            averages = np.uint16(averages + _magnitude(np.uint8(x[i] - _mean(a[i], b[i]))))
            paeths = np.uint16(paeths + _magnitude(np.uint8(x[i] - _nearest(a[i], b[i], c[i]))))
        none, sub, up, average, paeth = none + nones, sub + subs, up + ups, average + averages, paeth + paeths
    way, least = UP, up
    for other, magnitudes in ((SUB, sub), (AVERAGE, average), (PAETH, paeth)):
        if magnitudes < least:
            way, least = other, magnitudes
    return NONE if none <= least else way


@compiled
def _magnitude(residual: Any) -> Any:
    """Take a residual as a signed byte, without sign."""
    return min(residual, np.uint8(-residual), np.uint8(_LARGE))


@compiled
def _mean(a: Any, b: Any) -> Any:
    return np.uint8((a & b) + ((a ^ b) >> 1))


@compiled
def _nearest(a: Any, b: Any, c: Any) -> Any:
    """Give Paeth's prediction in bytes alone, equal to the specification's for all a, b, c.

    Where c lies between the lower and the higher of a and b, a + b - c is as far from the lower as the higher is from
    c, and the other way round; from c it is as far as these two differ. Elsewhere one of them is taken as 0.
    """
    low, high = min(a, b), max(a, b)
    to_low, to_high = np.uint8(max(high, c) - c), np.uint8(max(low, c) - low)
    less, more = min(to_low, to_high), max(to_low, to_high)
    nearer = low if to_low < to_high else high
    return nearer if less <= np.uint8(more - less) else c


@compiled
def _sub(row: Rows, pixel: int, residuals: Rows) -> None:
    _copy(row[:pixel], residuals[:pixel])
    left, current, out = row[: len(row) - pixel], row[pixel:], residuals[pixel:]
    for i in range(len(current)):
        out[i] = current[i] - left[i]


@compiled
def _up(row: Rows, prior: Rows, residuals: Rows) -> None:
    for i in range(len(row)):
        residuals[i] = row[i] - prior[i]


@compiled
def _average(row: Rows, prior: Rows, pixel: int, residuals: Rows) -> None:
    for i in range(pixel):
        residuals[i] = row[i] - (prior[i] >> 1)
    left, above, current, out = row[: len(row) - pixel], prior[pixel:], row[pixel:], residuals[pixel:]
    for i in range(len(current)):
        out[i] = np.uint8(current[i] - _mean(left[i], above[i]))


@compiled
def _paeth(row: Rows, prior: Rows, pixel: int, residuals: Rows) -> None:
    for i in range(pixel):
        residuals[i] = row[i] - prior[i]
    rest = len(row) - pixel
    left, above, corner, current, out = row[:rest], prior[pixel:], prior[:rest], row[pixel:], residuals[pixel:]
    for i in range(rest):
        out[i] = np.uint8(current[i] - _nearest(left[i], above[i], corner[i]))
