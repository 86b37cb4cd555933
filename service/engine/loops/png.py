"""PNG's row filters, forth and back (PNG specification, third edition, section 9).

Rows are uint8 (rows, bytes); `prior` is the row above the first one, zeros at the top; `pixel` is the distance in
bytes to the sample on the left. Trap: whole-row slices let the compiler prove that no index is negative, and a cast
after each operation keeps a vector full of small lanes; without either these loops are ten times slower.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.engine.loops.compiler import compiled

NONE, SUB, UP, AVERAGE, PAETH = range(5)

Rows = NDArray[np.uint8]


@compiled
def filter_rows(rows: Rows, prior: Rows, pixel: int, candidates: Rows, filtered: Rows) -> None:
    """Write each row, filtered in the way that leaves the smallest sum of magnitudes, behind the number of that way.

    `filtered` is (rows, 1 + bytes), `candidates` (4, bytes) is scratch.
    """
    for index in range(rows.shape[0]):
        row = rows[index]
        _sub(row, pixel, candidates[0])
        _up(row, prior, candidates[1])
        _average(row, prior, pixel, candidates[2])
        _paeth(row, prior, pixel, candidates[3])
        best, least = 0, _magnitudes(candidates[0])
        for candidate in range(1, 4):
            magnitudes = _magnitudes(candidates[candidate])
            if magnitudes < least:
                best, least = candidate, magnitudes
        filtered[index, 0] = best + SUB
        filtered[index, 1:] = candidates[best]
        prior = row


@compiled
def _magnitudes(residuals: Rows) -> Any:
    """Sum the residuals as signed bytes, without sign."""
    total = np.uint32(0)
    for i in range(len(residuals)):
        residual = residuals[i]
        opposite = np.uint8(-residual)
        total += np.uint32(min(residual, opposite))
    return total


@compiled
def _sub(row: Rows, pixel: int, residuals: Rows) -> None:
    residuals[:pixel] = row[:pixel]
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
        out[i] = current[i] - np.uint8((np.uint16(left[i]) + np.uint16(above[i])) >> 1)


@compiled
def _paeth(row: Rows, prior: Rows, pixel: int, residuals: Rows) -> None:
    for i in range(pixel):
        residuals[i] = row[i] - prior[i]
    rest = len(row) - pixel
    left, above, corner, current, out = row[:rest], prior[pixel:], prior[:rest], row[pixel:], residuals[pixel:]
    for i in range(rest):
        a, b, c = np.int16(left[i]), np.int16(above[i]), np.int16(corner[i])
        bound = np.int16(np.int16(np.int16(np.int16(3) * c) - b) - a)
        low, high = min(a, b), max(a, b)
        guess = low if high <= bound else c
        guess = high if bound <= low else guess
        out[i] = np.uint8(current[i] - guess)


@compiled
def unfilter_rows(filtered: Rows, prior: Rows, pixel: int) -> bool:
    """Undo the filters in place: (rows, 1 + bytes), the way first. False where a row names no known way."""
    for index in range(filtered.shape[0]):
        way, row = filtered[index, 0], filtered[index, 1:]
        if way == SUB:
            _undo_sub(row, pixel)
        elif way == UP:
            _undo_up(row, prior)
        elif way == AVERAGE:
            _undo_average(row, prior, pixel)
        elif way == PAETH:
            _undo_paeth(row, prior, pixel)
        elif way != NONE:
            return False
        prior = row
    return True


@compiled
def _undo_sub(row: Rows, pixel: int) -> None:
    left, current = row[: len(row) - pixel], row[pixel:]
    for i in range(len(current)):
        current[i] += left[i]


@compiled
def _undo_up(row: Rows, prior: Rows) -> None:
    for i in range(len(row)):
        row[i] += prior[i]


@compiled
def _undo_average(row: Rows, prior: Rows, pixel: int) -> None:
    for i in range(pixel):
        row[i] += prior[i] >> 1
    left, above, current = row[: len(row) - pixel], prior[pixel:], row[pixel:]
    for i in range(len(current)):
        current[i] = np.uint8(current[i] + ((np.int32(left[i]) + np.int32(above[i])) >> 1))


@compiled
def _undo_paeth(row: Rows, prior: Rows, pixel: int) -> None:
    """Undo Paeth's filter; the time is that of one chain of dependent instructions, hence the choice of the formula.

    With p = a + b - c, the nearest to p of a, b, c is decided by where 3c - a - b lies between the lower and the higher
    of a and b: beneath the lower it is the higher, above the higher the lower, otherwise c. After F. Giesen, who found
    it for stb_image; equal to the specification's for all a, b, c.
    """
    for i in range(pixel):
        row[i] += prior[i]
    rest = len(row) - pixel
    left, above, corner, current = row[:rest], prior[pixel:], prior[:rest], row[pixel:]
    for i in range(rest):
        a, b, c = np.int32(left[i]), np.int32(above[i]), np.int32(corner[i])
        bound = 3 * c - b - a
        low, high = min(a, b), max(a, b)
        guess = low if high <= bound else c
        guess = high if bound <= low else guess
        current[i] = np.uint8(current[i] + guess)
