"""Sums of taps kept in vector registers."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.engine.loops.compiler import compiled
from service.engine.loops.rows import EIGHT, TWO
from service.engine.loops.samples import FLOAT32, UINT8, UINT16
from service.engine.loops.vectors import (
    convert,
    fma,
    high,
    item,
    join,
    lanes_of,
    load,
    low,
    over_power,
    splat,
    store,
    store_each,
    zeros,
)

Array = NDArray[Any]

TOGETHER = 4
"""Rows that are summed at once."""
AS_SUMMED = 4
"""The kind of samples that are numbers as they were summed."""


class Taps(NamedTuple):
    """Columns of taps, and which of them make each plane of the output.

    Column t has the weights `starts[t]` to `starts[t + 1]`, at least one, the first of them at `offsets[t]` of the
    strip; plane p has the columns `bounds[p, 0]` to `bounds[p, 1]`.
    """

    weights: Array
    offsets: Array
    starts: Array
    bounds: Array


@compiled
def sum_along(numbers: Array, at: int, along: Taps, plane: int, target: int, columns: int) -> None:
    """Sum a row along itself."""
    lanes, offsets, weights = lanes_of(numbers, EIGHT), along.offsets, along.weights
    begin, end = along.bounds[plane, 0], along.bounds[plane, 1]
    for x in range(0, columns, lanes):
        total = zeros(numbers.dtype, lanes)
        for tap in range(begin, end):
            total = fma(load(numbers, at + x + item(offsets, tap), lanes), splat(item(weights, tap), lanes), total)
        store(numbers, target + x, total)


@compiled
def sum_rows(
    numbers: Array,
    at: int,
    distance: int,
    taps: Taps,
    plane: int,
    samples: Array,
    byte: int,
    pitch: int,
    n: int,
    kind: int,
    shift: int,
) -> None:
    """Sum `n` columns of TOGETHER rows, each of which looks `distance` further, and store them `pitch` bytes apart.

    They are divided by 2**`shift` and become samples of `kind`, or stay numbers where that is AS_SUMMED.
    """
    lanes, weights = lanes_of(numbers, TWO), taps.weights
    begin, end = taps.bounds[plane, 0], taps.bounds[plane, 1]
    for x in range(0, n, lanes):
        a = b = c = d = zeros(numbers.dtype, lanes)
        for column in range(begin, end):
            first, last = item(taps.starts, column), item(taps.starts, column + 1)
            place = at + x + item(taps.offsets, column)
            if last - first < TOGETHER - 1:
                for tap in range(first, last):
                    weight = splat(item(weights, tap), lanes)
                    a = fma(load(numbers, place, lanes), weight, a)
                    b = fma(load(numbers, place + distance, lanes), weight, b)
                    c = fma(load(numbers, place + 2 * distance, lanes), weight, c)
                    d = fma(load(numbers, place + 3 * distance, lanes), weight, d)
                    place += distance
                continue
            # A line that is loaded meets a tap of each row, but for the outermost ones.
            u, v, w = (
                splat(item(weights, first), lanes),
                splat(item(weights, first + 1), lanes),
                splat(item(weights, first + 2), lanes),
            )
            a = fma(load(numbers, place, lanes), u, a)
            line = load(numbers, place + distance, lanes)
            a, b = fma(line, v, a), fma(line, u, b)
            place += 2 * distance
            line = load(numbers, place, lanes)
            a, b, c = fma(line, w, a), fma(line, v, b), fma(line, u, c)
            for tap in range(first + 3, last):
                place += distance
                t, u, v, w = u, v, w, splat(item(weights, tap), lanes)
                line = load(numbers, place, lanes)
                a, b, c, d = fma(line, w, a), fma(line, v, b), fma(line, u, c), fma(line, t, d)
            line = load(numbers, place + distance, lanes)
            b, c, d = fma(line, w, b), fma(line, v, c), fma(line, u, d)
            line = load(numbers, place + 2 * distance, lanes)
            c, d = fma(line, w, c), fma(line, v, d)
            d = fma(load(numbers, place + 3 * distance, lanes), w, d)
        if kind == AS_SUMMED:
            store_each(samples, byte + x * numbers.itemsize, pitch, (a, b, c, d))
            continue
        if shift > 0:
            a, b, c, d = over_power(a, shift), over_power(b, shift), over_power(c, shift), over_power(d, shift)
        if kind == UINT8:
            _put(np.uint8, join((a, b)), join((c, d)), samples, byte + x, pitch)
        elif kind == UINT16:
            _put(np.uint16, join((a, b)), join((c, d)), samples, byte + 2 * x, pitch)
        elif kind == FLOAT32:
            _put(np.float32, join((a, b)), join((c, d)), samples, byte + 4 * x, pitch)
        else:
            _put(np.float64, join((a, b)), join((c, d)), samples, byte + 8 * x, pitch)


@compiled
def _put(dtype: Any, ab: Any, cd: Any, samples: Array, place: int, pitch: int) -> None:
    """Store two rows of each vector as samples."""
    some, others = convert(ab, dtype), convert(cd, dtype)
    store_each(samples, place, pitch, (low(some), high(some), low(others), high(others)))
