"""PNG's row filters undone (PNG specification, third edition, section 9).

A pixel waits for the one on its left, which takes a row by itself four times as long as its sums. So several rows go
together, each one pixel behind the row above it: what a row needs from above was computed one step earlier in the lanes
beside, and stays in a register.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.engine.loops.compiler import compiled
from service.engine.loops.png import AVERAGE, NONE, PAETH, SUB, UP
from service.engine.loops.vectors import arrange, gather, join, load_as, maximum, minimum, scatter, select, view

Rows = NDArray[np.uint8]

TOGETHER = 8
"""Rows: with 4 or 16 the pixels take 1.7 and 2 times as long."""
_SLOTS = 4, 8
"""Bytes that a pixel has in a vector; what lies behind a shorter one in the row is computed too, and overwritten."""


@compiled
def unfilter_rows(filtered: Rows, prior: Rows, pixel: int, out: Rows) -> bool:
    """Undo the filters of rows (rows, 1 + bytes), the number of the way first, to `out` (rows, bytes).

    `prior` (bytes,) is the row above the first one, zeros at the top; `pixel`, from 1 to 8, is the distance in bytes to
    the sample on the left. False where a row names no known way.
    """
    rows, size = out.shape
    for row in range(rows):
        if filtered[row, 0] > PAETH:
            return False
    slot = _SLOTS[0] if pixel <= _SLOTS[0] else _SLOTS[1]
    steps = (size - slot) // pixel - TOGETHER + 2
    row = 0
    while row < rows:
        if steps < 1 or row + TOGETHER > rows or _each_by_itself(filtered[row : row + TOGETHER]):
            _undo(filtered[row], prior, pixel, out[row], 0, size)
            prior = out[row]
            row += 1
            continue
        above = prior
        for i in range(TOGETHER):
            _undo(filtered[row + i], above, pixel, out[row + i], 0, (TOGETHER - 1 - i) * pixel)
            above = out[row + i]
        if slot == _SLOTS[0]:
            _undo_slanting(filtered, prior, out, row, pixel, steps, np.uint32, slot)
        else:
            _undo_slanting(filtered, prior, out, row, pixel, steps, np.uint64, slot)
        for i in range(TOGETHER):
            _undo(filtered[row + i], prior, pixel, out[row + i], (TOGETHER - 1 - i + steps) * pixel, size)
            prior = out[row + i]
        row += TOGETHER
    return True


@compiled
def _undo(filtered: Rows, prior: Rows, pixel: int, out: Rows, start: int, stop: int) -> None:
    """Undo the filter of bytes `start` to `stop` of a row; those before are done."""
    way, row = filtered[0], filtered[1:]
    if way in (NONE, UP):
        above, residuals, found = prior[start:stop], row[start:stop], out[start:stop]
        mask = np.uint8(255 if way == UP else 0)
        for i in range(len(found)):
            found[i] = residuals[i] + (above[i] & mask)
        return
    for i in range(start, stop):
        b = np.int32(prior[i])
        a, c = (np.int32(out[i - pixel]), np.int32(prior[i - pixel])) if i >= pixel else (np.int32(0), np.int32(0))
        if way == SUB:
            guess = a
        elif way == AVERAGE:
            guess = (a + b) >> 1
        else:
            to_a, to_b, to_c = abs(b - c), abs(a - c), abs(a + b - 2 * c)
            guess = a if to_a <= to_b and to_a <= to_c else b if to_b <= to_c else c
        out[i] = np.uint8(row[i] + guess)


@compiled
def _each_by_itself(filtered: Rows) -> bool:
    """Tell whether no row of these looks to the left."""
    alone = True
    for way in filtered[:, 0]:
        alone &= way in (NONE, UP)
    return alone


@compiled
def _undo_slanting(
    filtered: Rows, prior: Rows, out: Rows, row: int, pixel: int, steps: int, slot: Any, width: int
) -> None:
    """Undo `steps` pixels of TOGETHER rows from `row` on, each in a lane of type `slot`, of `width` bytes.

    The last row begins with its first pixel, each one above it one pixel further on; `out` has the pixels before these.
    Trap: no bound is checked, and as many bytes as a slot has are read and written where a pixel begins.
    """
    source, target, last = filtered.reshape(-1), out.reshape(-1), TOGETHER - 1
    sources, targets = np.empty(TOGETHER, np.int64), np.empty(TOGETHER, np.int64)
    masks = np.zeros((PAETH + 1, TOGETHER, width), np.uint8)
    before = np.zeros((2, TOGETHER, width), np.uint8)  # what is on the left of the first pixels, and above that
    for i in range(TOGETHER):
        start = (last - i) * pixel
        sources[i] = (row + i) * filtered.shape[1] + 1 + start
        targets[i] = (row + i) * out.shape[1] + start
        above = out[row + i - 1] if i else prior
        for j in range(width):
            masks[filtered[row + i, 0], i, j] = 255
            if i < last:
                before[0, i, j] = out[row + i, start - pixel + j]
                before[1, i, j] = above[start - pixel + j]
    ways, edge, size = masks.reshape(-1), before.reshape(-1), TOGETHER * width
    subs, ups = _bytes(slot, ways, SUB * size), _bytes(slot, ways, UP * size)
    means, paeths = _bytes(slot, ways, AVERAGE * size), _bytes(slot, ways, PAETH * size)
    a, c, one = _bytes(slot, edge, 0), _bytes(slot, edge, size), _bytes(slot, _ONES, 0)
    for step in range(steps):
        at = step * pixel
        first = load_as(slot, prior, last * pixel + at, 1)
        b = view(_one_row_down(join((view(a, slot), _on_top(first)))), np.uint8)
        guess = (subs & a) | (ups & b) | (means & _mean(a, b, one)) | (paeths & _nearest(a, b, c))
        a, c = view(gather(slot, source, at, sources, TOGETHER), np.uint8) + guess, b
        scatter(target, at, targets, view(a, slot))


@compiled(inlined=True)
def _bytes(slot: Any, array: NDArray[np.uint8], place: int) -> Any:
    return view(load_as(slot, array, place, TOGETHER), np.uint8)


_ONES = np.ones(TOGETHER * _SLOTS[1], np.uint8)
_one_row_down = arrange(lambda lanes: [lanes // 2, *range(lanes // 2 - 1)])
_on_top = arrange(lambda _: [0] + [-1] * (TOGETHER - 1))


@compiled(inlined=True)
def _mean(a: Any, b: Any, one: Any) -> Any:
    return (a & b) + ((a ^ b) >> one)


@compiled(inlined=True)
def _nearest(a: Any, b: Any, c: Any) -> Any:
    """Give Paeth's prediction in bytes alone, as `_nearest` in png.py does."""
    low, high = minimum(a, b), maximum(a, b)
    to_low, to_high = maximum(high, c) - c, maximum(low, c) - low
    less, more = minimum(to_low, to_high), maximum(to_low, to_high)
    nearer = select(to_low < to_high, low, high)
    return select(less <= more - less, nearer, c)
