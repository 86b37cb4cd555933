"""Rows: samples become numbers that loops compute with, planes part and come together, numbers become samples.

Scratch memory is written and read in whole vectors, up to BEYOND bytes behind the end of a row; images are not.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.engine.loops.compiler import compiled
from service.engine.loops.samples import FLOAT32, UINT8, UINT16
from service.engine.loops.vectors import (
    VECTOR_BYTES,
    absolute,
    convert,
    fma,
    lanes_of,
    load,
    load_as,
    load_each,
    load_part_as,
    over_power,
    rearrange,
    splat,
    sqrt,
    store,
    store_each,
    store_part,
    unweave,
    weave,
)

Array = NDArray[Any]

ONE, TWO, FOUR, EIGHT = (count * VECTOR_BYTES for count in (1, 2, 4, 8))
"""Bytes of so many registers."""
BEYOND = EIGHT
"""Bytes behind the end of a row that may be read or written."""
L1, L2 = 1, 2
"""Norms of two numbers."""

AS_THEY_ARE, SHIFTED, SCALED, EACH = range(4)
"""Ways to finish sums: not at all, by `shift`, all as those of the first plane, each as those of its plane."""


class Finish(NamedTuple):
    """What becomes of the sums of each plane: sum / divisor * scale + bias, then rounded and clipped if it must be.

    `scale` is the inverse of a divisor that is a power of two; any other must remain a divisor, since ties have to come
    out exactly. `norm` says to store |x| + |y| or sqrt(x x + y y) of each two planes. Where the `way` is SHIFTED, all
    this is a division by 2**`shift`.
    """

    divisor: Array
    scale: Array
    bias: Array
    norm: int
    way: int
    shift: int


_weave_by_threes = rearrange(
    lambda count, lanes: [
        (p * count // 2 * lanes) + 3 * g + u for g in range(count // 2 * lanes // 3) for p in range(2) for u in range(3)
    ]
)


_deal_by_threes = rearrange(
    lambda count, lanes: [6 * g + 3 * p + u for p in range(2) for g in range(count // 2 * lanes // 3) for u in range(3)]
)


@compiled
def widen(kind: int, samples: Array, byte: int, numbers: Array, at: int, count: int) -> None:
    """Make numbers, from `at` on, of `count` samples of `kind`, which stand in a flat array of bytes from `byte` on."""
    if kind == UINT8:
        _widen(np.uint8, 1, samples, byte, numbers, at, count)
    elif kind == UINT16:
        _widen(np.uint16, 2, samples, byte, numbers, at, count)
    elif kind == FLOAT32:
        _widen(np.float32, 4, samples, byte, numbers, at, count)
    else:
        _widen(np.float64, 8, samples, byte, numbers, at, count)


@compiled
def _widen(dtype: Any, size: int, samples: Array, byte: int, numbers: Array, at: int, count: int) -> None:
    lanes = lanes_of(numbers, FOUR)
    whole = count // lanes * lanes
    for i in range(0, whole, lanes):
        store(numbers, at + i, convert(load_as(dtype, samples, byte + i * size, lanes), numbers.dtype))
    if whole < count:
        rest = load_part_as(dtype, samples, byte + whole * size, count - whole, lanes)
        store_part(numbers, at + whole, convert(rest, numbers.dtype), count - whole)


@compiled
def narrow(
    kind: int,
    numbers: Array,
    at: int,
    apart: int,
    count: int,
    finish: Finish,
    samples: Array,
    byte: int,
    pitch: int,
    height: int,
) -> None:
    """Make samples of `kind` of `height` rows of `count` sums, those of integers rounded half to even and clipped.

    Rows begin `apart` numbers apart, and `pitch` bytes where they go to.
    """
    lanes = lanes_of(numbers, FOUR)
    for m in range(height):
        for i in range(0, count, lanes):
            to, left = byte + m * pitch + (i << kind), count - i
            if finish.way == SCALED:
                store_as(kind, _scaled(numbers, at + m * apart + i, finish, 0), samples, to, left, lanes)
            else:
                sums = load(numbers, at + m * apart + i, lanes)
                if finish.way == SHIFTED:
                    sums = over_power(sums, finish.shift)
                store_as(kind, sums, samples, to, left, lanes)


@compiled(inlined=True)
def store_as(kind: int, numbers: Any, samples: Array, byte: int, count: int, lanes: int) -> None:
    """Store numbers as samples of `kind` from `byte` on: the first `count` of their `lanes`, or all if that is more."""
    if kind == UINT8:
        _store(convert(numbers, np.uint8), samples, byte, count, lanes)
    elif kind == UINT16:
        _store(convert(numbers, np.uint16), samples, byte, count, lanes)
    elif kind == FLOAT32:
        _store(convert(numbers, np.float32), samples, byte, count, lanes)
    else:
        _store(convert(numbers, np.float64), samples, byte, count, lanes)


@compiled(inlined=True)
def _store(vector: Any, samples: Array, byte: int, count: int, lanes: int) -> None:
    if count >= lanes:
        store(samples, byte, vector)
    else:
        store_part(samples, byte, vector, count)


@compiled
def _scaled(numbers: Array, at: int, finish: Finish, plane: int) -> Any:
    """Give sums / divisor * scale + bias of four registers, as numbers of the type of these."""
    lanes = lanes_of(numbers, FOUR)
    some = convert(load(numbers, at, lanes), finish.scale.dtype)
    if finish.divisor[plane] != 1:
        some = some / splat(finish.divisor[plane], lanes)
    return fma(some, splat(finish.scale[plane], lanes), splat(finish.bias[plane], lanes))


@compiled
def scale(numbers: Array, at: int, count: int, finish: Finish, plane: int) -> None:
    """Finish the sums of a plane, which remain numbers."""
    for i in range(0, count, lanes_of(numbers, FOUR)):
        store(numbers, at + i, convert(_scaled(numbers, at + i, finish, plane), numbers.dtype))


@compiled
def move(numbers: Array, source: int, target: int, count: int) -> None:
    """Copy numbers to a place before their own, or behind all of them."""
    lanes = lanes_of(numbers, FOUR)
    for i in range(0, count, lanes):
        store(numbers, target + i, load(numbers, source + i, lanes))


@compiled
def copy(source: Array, first: int, count: int, target: Array, at: int) -> None:
    """Copy bytes from one array to another."""
    lanes = lanes_of(source, FOUR)
    for i in range(0, count, lanes):
        some = load(source, first + i, lanes)
        if i + lanes <= count:
            store(target, at + i, some)
        else:
            store_part(target, at + i, some, count - i)


@compiled
def deal(numbers: Array, source: int, planes: int, unit: int, count: int, target: int, apart: int) -> None:
    """Deal numbers out to planes by `unit` numbers for each in turn, until they have `count`; they begin `apart`."""
    n = lanes_of(numbers, ONE)
    if planes == 2 and unit == 3:
        for i in range(0, count, 3 * n):
            some = _deal_by_threes(load_each(numbers, source + 2 * i, n, 6, n))
            store_each(numbers, target + i, n, some[:3])
            store_each(numbers, target + i + apart, n, some[3:])
    elif planes == 2 and unit == 1:
        for i in range(0, count, n):
            store_each(numbers, target + i, apart, unweave(load_each(numbers, source + 2 * i, n, 2, n)))
    elif planes == 3 and unit == 1:
        for i in range(0, count, n):
            store_each(numbers, target + i, apart, unweave(load_each(numbers, source + 3 * i, n, 3, n)))
    elif planes == 6 and unit == 1:
        for i in range(0, count, n):
            a, b, c, d, e, f = load_each(numbers, source + 6 * i, n, 6, n)
            a, b = unweave((a, b))
            c, d = unweave((c, d))
            e, f = unweave((e, f))
            store_each(numbers, target + i, 2 * apart, unweave((a, c, e)))
            store_each(numbers, target + i + apart, 2 * apart, unweave((b, d, f)))
    else:
        for p in range(planes):
            for i in range(count):
                numbers[target + p * apart + i] = numbers[source + (i // unit * planes + p) * unit + i % unit]


@compiled
def join(numbers: Array, source: int, planes: int, apart: int, unit: int, count: int, target: int) -> None:
    """Put `unit` numbers of one plane after as many of the one before, until there are `count` of each.

    Planes begin `apart` at the source.
    """
    n = lanes_of(numbers, ONE)
    if planes == 2 and unit == 1:
        for i in range(0, count, n):
            store_each(numbers, target + 2 * i, n, weave(load_each(numbers, source + i, apart, 2, n)))
    elif planes == 3 and unit == 1:
        for i in range(0, count, n):
            store_each(numbers, target + 3 * i, n, weave(load_each(numbers, source + i, apart, 3, n)))
    elif planes == 6 and unit == 1:
        for i in range(0, count, n):
            a, c, e = weave(load_each(numbers, source + i, 2 * apart, 3, n))
            b, d, f = weave(load_each(numbers, source + i + apart, 2 * apart, 3, n))
            some = weave((a, b)) + weave((c, d)) + weave((e, f))
            store_each(numbers, target + 6 * i, n, some)
    elif planes == 2 and unit == 3:
        for i in range(0, count, 3 * n):
            below, above = load_each(numbers, source + i, n, 3, n), load_each(numbers, source + i + apart, n, 3, n)
            store_each(numbers, target + 2 * i, n, _weave_by_threes(below + above))
    else:
        for p in range(planes):
            for i in range(count):
                numbers[target + (i // unit * planes + p) * unit + i % unit] = numbers[source + p * apart + i]


@compiled
def combine(numbers: Array, x: int, y: int, count: int, finish: Finish, target: int) -> None:
    """Make a norm of each two numbers."""
    lanes = lanes_of(numbers, TWO)
    for i in range(0, count, lanes):
        a = convert(load(numbers, x + i, lanes), finish.scale.dtype)
        b = convert(load(numbers, y + i, lanes), finish.scale.dtype)
        norm = absolute(a) + absolute(b) if finish.norm == L1 else sqrt(fma(a, a, b * b))
        store(numbers, target + i, convert(norm, numbers.dtype))
