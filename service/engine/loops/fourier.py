"""Fourier transforms of columns side by side, each in a lane of vectors of its own.

A row of a block is a vector of real parts and one of imaginary parts, ROW numbers together. Forwards the passes leave
frequencies in an order of their own (decimation in frequency, W. M. Gentleman and G. Sande, "Fast Fourier transforms:
for fun and profit", 1966), and backwards they start from it (decimation in time): what lies between only multiplies, so
that nothing is ever sorted. Backwards is forwards with real and imaginary parts exchanged.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.engine.loops.compiler import compiled
from service.engine.loops.vectors import LANES, fma, load, load_rows, splat, store, store_rows, transpose

Array = NDArray[Any]

ROW = 2 * LANES
FORWARDS, BACKWARDS = np.int64(0), np.int64(1)
"""Not as plain integers: for each of these a loop would be compiled anew."""
BESIDE = np.arange(LANES) * ROW
"""Where the rows of a square of LANES rows begin, if they stand one after another."""

_PLAIN, _TURN_AFTER, _TURN_BEFORE = np.int64(0), np.int64(1), np.int64(2)
_HALF_ROOT, _HALF_ROOT_OF_3 = np.float32(0.5**0.5), np.float32(0.75**0.5)
_HALF = np.float32(0.5)


class Axis(NamedTuple):
    """A transform of `length` rows in passes of `radices` 3, 4 and 8; `twiddles` are those of all passes but the last.

    They stand as they are met: for each pass, for each row of a part, for each part but the first (cos, -sin).
    """

    length: int
    radices: Array
    twiddles: Array


class _Place(NamedTuple):
    """Where a butterfly finds its rows, `step` numbers apart, and from `first` on what it turns them by."""

    data: Array
    real: int
    imaginary: int
    step: int
    twiddles: Array
    first: int


@compiled
def forward(data: Array, axis: Axis) -> None:
    """Do all passes but the last on the rows of `data`."""
    part, twiddle = axis.length, 0
    for i in range(len(axis.radices) - 1):
        radix = axis.radices[i]
        rows = part // radix
        for begin in range(0, axis.length, part):
            for row in range(rows):
                real, first = (begin + row) * ROW, twiddle + 2 * (radix - 1) * row
                _butterfly(_Place(data, real, real + LANES, rows * ROW, axis.twiddles, first), radix, _TURN_AFTER)
        twiddle += 2 * (radix - 1) * rows
        part = rows


@compiled
def backward(data: Array, axis: Axis) -> None:
    """Do all passes but the first on the way back, which leaves `length` times what there was."""
    rows, twiddle = axis.radices[-1], len(axis.twiddles)
    for i in range(len(axis.radices) - 2, -1, -1):
        radix = axis.radices[i]
        part = rows * radix
        twiddle -= 2 * (radix - 1) * rows
        for begin in range(0, axis.length, part):
            for row in range(rows):
                real, first = (begin + row) * ROW, twiddle + 2 * (radix - 1) * row
                _butterfly(_Place(data, real + LANES, real, rows * ROW, axis.twiddles, first), radix, _TURN_BEFORE)
        rows = part


@compiled
def innermost(data: Array, axis: Axis, way: Any) -> None:
    """Do the last pass FORWARDS, which is the first one BACKWARDS."""
    radix, real, imaginary = axis.radices[-1], way * LANES, (1 - way) * LANES
    for row in range(0, axis.length, radix):
        _butterfly(_Place(data, real + row * ROW, imaginary + row * ROW, ROW, axis.twiddles, 0), radix, _PLAIN)


@compiled
def multiply(data: Array, spectrum: Array, sums: Array, again: bool) -> None:  # noqa: FBT001
    """Put rows of `data` times those of `spectrum` into `sums`; `again` adds them to what is there."""
    zero = splat(np.float32(0), LANES)
    for row in range(0, len(data), ROW):
        x, turn = _pair(data, row, row + LANES), _pair(spectrum, row, row + LANES)
        before = _pair(sums, row, row + LANES) if again else (zero, zero)
        real = fma(x[0], turn[0], fma(-x[1], turn[1], before[0]))
        store(sums, row, real)
        store(sums, row + LANES, fma(x[0], turn[1], fma(x[1], turn[0], before[1])))


@compiled
def transposed(source: Array, at: int, rows: Array, i: int, target: Array, place: int, columns: Array, j: int) -> None:
    """Exchange rows and lanes of a square of complex numbers.

    Its rows begin in `source` at `at` + `rows`[i] ..., and go to `place` + `columns`[j] ... of `target`.
    """
    for part in range(2):
        square = load_rows(source, at + part * LANES, rows, i, LANES)
        store_rows(target, place + part * LANES, columns, j, transpose(square))


@compiled(inlined=True)
def _butterfly(place: _Place, radix: int, kind: Any) -> None:
    """Transform `radix` rows in place, and turn all but the first of them after or before it."""
    if radix == 8:
        _eight(place, kind)
    elif radix == 4:
        _four(place, kind)
    else:
        _three(place, kind)


@compiled(inlined=True)
def _three(place: _Place, kind: Any) -> None:
    before, after = kind == _TURN_BEFORE, kind == _TURN_AFTER
    first, second, third = _row(place, 0, before), _row(place, 1, before), _row(place, 2, before)
    both, apart = _plus(second, third), _minus(second, third)
    half, root = splat(-_HALF, LANES), splat(_HALF_ROOT_OF_3, LANES)
    middle = fma(both[0], half, first[0]), fma(both[1], half, first[1])
    _put(place, 0, after, _plus(first, both))
    _put(place, 1, after, (fma(apart[1], root, middle[0]), fma(apart[0], -root, middle[1])))
    _put(place, 2, after, (fma(apart[1], -root, middle[0]), fma(apart[0], root, middle[1])))


@compiled(inlined=True)
def _four(place: _Place, kind: Any) -> None:
    before, after = kind == _TURN_BEFORE, kind == _TURN_AFTER
    x = _row(place, 0, before), _row(place, 1, before), _row(place, 2, before), _row(place, 3, before)
    y = _of_four(x[0], x[1], x[2], x[3])
    _put(place, 0, after, y[0])
    _put(place, 1, after, y[1])
    _put(place, 2, after, y[2])
    _put(place, 3, after, y[3])


@compiled(inlined=True)
def _eight(place: _Place, kind: Any) -> None:
    before, after = kind == _TURN_BEFORE, kind == _TURN_AFTER
    x, y = _row(place, 0, before), _row(place, 2, before)
    even = _of_four(x, y, _row(place, 4, before), _row(place, 6, before))
    x, y = _row(place, 1, before), _row(place, 3, before)
    odd = _of_four(x, y, _row(place, 5, before), _row(place, 7, before))
    # odd times exp(-i pi / 4) and exp(-3 i pi / 4), but for the root that the sums below multiply with.
    first = odd[1][0] + odd[1][1], odd[1][1] - odd[1][0]
    third = odd[3][1] - odd[3][0], odd[3][0] + odd[3][1]
    root = splat(_HALF_ROOT, LANES)
    _put(place, 0, after, _plus(even[0], odd[0]))
    _put(place, 1, after, (fma(first[0], root, even[1][0]), fma(first[1], root, even[1][1])))
    _put(place, 2, after, _minus_i(even[2], odd[2]))
    _put(place, 3, after, (fma(third[0], root, even[3][0]), fma(third[1], -root, even[3][1])))
    _put(place, 4, after, _minus(even[0], odd[0]))
    _put(place, 5, after, (fma(first[0], -root, even[1][0]), fma(first[1], -root, even[1][1])))
    _put(place, 6, after, _plus_i(even[2], odd[2]))
    _put(place, 7, after, (fma(third[0], -root, even[3][0]), fma(third[1], root, even[3][1])))


@compiled(inlined=True)
def _of_four(a: Any, b: Any, c: Any, d: Any) -> Any:
    even, odd, even_apart, odd_apart = _plus(a, c), _plus(b, d), _minus(a, c), _minus(b, d)
    return _plus(even, odd), _minus_i(even_apart, odd_apart), _minus(even, odd), _plus_i(even_apart, odd_apart)


@compiled(inlined=True)
def _row(place: _Place, row: int, turned: bool) -> Any:  # noqa: FBT001
    x = _pair(place.data, place.real + row * place.step, place.imaginary + row * place.step)
    return _turn(place, row, x) if turned and row > 0 else x


@compiled(inlined=True)
def _put(place: _Place, row: int, turned: bool, x: Any) -> None:  # noqa: FBT001
    y = _turn(place, row, x) if turned and row > 0 else x
    store(place.data, place.real + row * place.step, y[0])
    store(place.data, place.imaginary + row * place.step, y[1])


@compiled(inlined=True)
def _turn(place: _Place, row: int, x: Any) -> Any:
    at = place.first + 2 * (row - 1)
    cosine, sine = splat(place.twiddles[at], LANES), splat(place.twiddles[at + 1], LANES)
    return fma(x[0], cosine, -(x[1] * sine)), fma(x[0], sine, x[1] * cosine)


@compiled(inlined=True)
def _pair(data: Array, real: int, imaginary: int) -> Any:
    return load(data, real, LANES), load(data, imaginary, LANES)


@compiled(inlined=True)
def _plus(x: Any, y: Any) -> Any:
    return x[0] + y[0], x[1] + y[1]


@compiled(inlined=True)
def _minus(x: Any, y: Any) -> Any:
    return x[0] - y[0], x[1] - y[1]


@compiled(inlined=True)
def _minus_i(x: Any, y: Any) -> Any:
    """Give x - i y."""
    return x[0] + y[1], x[1] - y[0]


@compiled(inlined=True)
def _plus_i(x: Any, y: Any) -> Any:
    """Give x + i y."""
    return x[0] - y[1], x[1] + y[0]
