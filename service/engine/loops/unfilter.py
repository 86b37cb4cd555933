"""PNG's row filters undone (PNG specification, third edition, section 9).

A pixel waits for the one on its left, which takes a row by itself four times as long as its sums. So several rows go
together, each one pixel behind the row above it: what a row needs from above was computed one step earlier in the lanes
beside, and stays in a register.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numpy.typing import NDArray

from service.engine.loops.compiler import compiled, intrinsic
from service.engine.loops.png import AVERAGE, NONE, PAETH, SUB, UP

Rows = NDArray[np.uint8]

TOGETHER = 8
"""Rows: with 4 or 16 the pixels take 1.7 and 2 times as long."""
_SLOTS = 4, 8
"""Bytes that a pixel has in a vector; what lies behind a shorter one in the row is computed along, in vain."""

_BYTE, _INT32, _INT64 = ir.IntType(8), ir.IntType(32), ir.IntType(64)


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
            _undo_small(filtered, prior, out, row, pixel, steps)
        else:
            _undo_large(filtered, prior, out, row, pixel, steps)
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


def _undoing(slot: int) -> Callable[..., Any]:
    """Make the intrinsic that undoes `steps` pixels of `TOGETHER` rows from `row` on.

    The last row begins with its first pixel, each one above it one pixel further on; `out` has the pixels before these.
    Trap: no bound is checked, and up to `slot` bytes are read and written where a pixel begins.
    """

    @intrinsic
    def undo(_context: Any, filtered: Any, prior: Any, out: Any, row: Any, pixel: Any, steps: Any) -> Any:
        def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            arrays = [
                context.make_array(array)(context, builder, value)
                for array, value in zip(signature.args[:3], arguments[:3], strict=True)
            ]
            _Front(builder, slot, arrays, *arguments[3:]).build()
            return context.get_dummy_value()

        return types.void(filtered, prior, out, row, pixel, steps), build

    return undo


_undo_small, _undo_large = map(_undoing, _SLOTS)


class _Front:
    """Writes the code for vectors of one pixel of each row; all columns and pixels' places are in bytes."""

    def __init__(self, builder: Any, slot: int, arrays: list[Any], row: Any, pixel: Any, steps: Any) -> None:
        self.builder, self.pixel, self.steps = builder, pixel, steps
        self.bytes = ir.VectorType(_BYTE, TOGETHER * slot)
        self.slot = ir.IntType(8 * slot)
        self.slots = ir.VectorType(self.slot, TOGETHER)
        filtered, prior, out = arrays
        self.above = prior.data
        self.ways, self.out = ([self._row(array, row, i) for i in range(TOGETHER)] for array in (filtered, out))
        self.rows = [self._at(way, _INT64(1)) for way in self.ways]

    def build(self) -> None:
        builder, last = self.builder, TOGETHER - 1
        starts = [builder.mul(self.pixel, _INT64(last - i)) for i in range(TOGETHER)]
        before = [builder.sub(start, self.pixel) for start in starts[:last]]  # the last row has nothing there
        left = [self._load(row, place) for row, place in zip(self.out[:last], before, strict=True)]
        corner = [self._load(row, place) for row, place in zip([self.above, *self.out[:-2]], before, strict=True)]
        first_left, first_corner = (self._joined([*pixels, self.slot(0)]) for pixels in (left, corner))
        masks = {way: self._mask(way) for way in (SUB, UP, AVERAGE, PAETH)}
        sources, targets = (list(map(self._at, rows, starts)) for rows in (self.rows, self.out))
        above = self._at(self.above, starts[0])

        entry, body, done = builder.block, builder.append_basic_block("step"), builder.append_basic_block("done")
        builder.branch(body)
        builder.position_at_end(body)
        step, place, a, c = (builder.phi(each) for each in (_INT64, _INT64, self.bytes, self.bytes))
        b = self._one_row_down(a, self._load(above, place))
        guess = builder.and_(masks[SUB], a)
        for way, value in ((UP, b), (AVERAGE, self._mean(a, b)), (PAETH, self._nearest(a, b, c))):
            guess = builder.or_(guess, builder.and_(masks[way], value))
        result = builder.add(self._joined([self._load(source, place) for source in sources]), guess)
        pixels = builder.bitcast(result, self.slots)
        for i, target in enumerate(targets):
            pointer = builder.bitcast(self._at(target, place), self.slot.as_pointer())
            builder.store(builder.extract_element(pixels, _INT32(i)), pointer, align=1)
        next_step, next_place = builder.add(step, _INT64(1)), builder.add(place, self.pixel)
        begin, following = (_INT64(0), _INT64(0), first_left, first_corner), (next_step, next_place, result, b)
        for phi, before_all, after in zip((step, place, a, c), begin, following, strict=True):
            phi.add_incoming(before_all, entry)
            phi.add_incoming(after, body)
        builder.cbranch(builder.icmp_signed("<", next_step, self.steps), body, done)
        builder.position_at_end(done)

    def _mean(self, a: Any, b: Any) -> Any:
        builder = self.builder
        half = builder.lshr(builder.xor(a, b), ir.Constant(self.bytes, [1] * self.bytes.count))
        return builder.add(builder.and_(a, b), half)

    def _nearest(self, a: Any, b: Any, c: Any) -> Any:
        """Give Paeth's prediction in bytes alone, as `_nearest` in png.py does."""
        builder = self.builder

        def least(one: Any, other: Any) -> Any:
            return builder.select(builder.icmp_unsigned("<", one, other), one, other)

        def most(one: Any, other: Any) -> Any:
            return builder.select(builder.icmp_unsigned(">", one, other), one, other)

        low, high = least(a, b), most(a, b)
        to_low, to_high = builder.sub(most(high, c), c), builder.sub(most(low, c), low)
        less, more = least(to_low, to_high), most(to_low, to_high)
        nearer = builder.select(builder.icmp_unsigned("<", to_low, to_high), low, high)
        return builder.select(builder.icmp_unsigned("<=", less, builder.sub(more, less)), nearer, c)

    def _mask(self, way: int) -> Any:
        """Set all bits of the rows that are filtered in this way."""
        builder = self.builder
        found = [builder.icmp_unsigned("==", builder.load(place), _BYTE(way)) for place in self.ways]
        return self._joined([builder.sext(each, self.slot) for each in found])

    def _one_row_down(self, pixels: Any, first: Any) -> Any:
        slots = self.builder.bitcast(pixels, self.slots)
        other = self.builder.insert_element(ir.Constant(self.slots, ir.Undefined), first, _INT32(0))
        order = ir.Constant(ir.VectorType(_INT32, TOGETHER), [TOGETHER, *range(TOGETHER - 1)])
        return self.builder.bitcast(self.builder.shuffle_vector(slots, other, order), self.bytes)

    def _joined(self, pixels: list[Any]) -> Any:
        vector = ir.Constant(self.slots, ir.Undefined)
        for i, pixel in enumerate(pixels):
            vector = self.builder.insert_element(vector, pixel, _INT32(i))
        return self.builder.bitcast(vector, self.bytes)

    def _row(self, array: Any, first: Any, i: int) -> Any:
        pitch = self.builder.extract_value(array.strides, 0)
        return self._at(array.data, self.builder.mul(pitch, self.builder.add(first, _INT64(i))))

    def _load(self, pointer: Any, place: Any) -> Any:
        return self.builder.load(self.builder.bitcast(self._at(pointer, place), self.slot.as_pointer()), align=1)

    def _at(self, pointer: Any, place: Any) -> Any:
        return self.builder.gep(pointer, [place])
