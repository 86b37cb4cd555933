"""Every operation on vectors, of every type, against NumPy."""

from __future__ import annotations

import math
from collections.abc import Callable
from threading import Thread
from typing import Any

import numpy as np
import pytest
from numba import njit
from numba.core.errors import TypingError
from numpy.typing import NDArray

from service.engine.algorithms.arrays import aligned
from service.engine.loops.vectors import (
    VECTOR_BYTES,
    absolute,
    arrange,
    convert,
    fma,
    high,
    item,
    join,
    lane,
    lanes_of,
    load,
    load_as,
    load_each,
    load_part_as,
    load_rows,
    look_up,
    low,
    maximum,
    minimum,
    next_piece,
    over_power,
    pair_products,
    prefetch,
    select,
    splat,
    splat_as,
    splat_like,
    sqrt,
    store,
    store_each,
    store_part,
    store_rows,
    stream,
    transpose,
    unweave,
    view,
    weave,
    zeros,
)

Array = NDArray[Any]

N = 16
REALS = (np.float32, np.float64)
SIGNED = (np.int8, np.int16, np.int32, np.int64)
UNSIGNED = (np.uint8, np.uint16, np.uint32, np.uint64)
WHOLES = SIGNED + UNSIGNED
TYPES = REALS + WHOLES

reversed_lanes = arrange(lambda lanes: range(lanes - 1, -1, -1))
first_and_nothing = arrange(lambda lanes: [0, -1, lanes - 1])


def numbers(dtype: Any, count: int = N, seed: int = 0) -> Array:
    """Draw numbers from the whole range of integers; of floats, whole numbers whose products are exact."""
    rng = np.random.default_rng(seed)
    if np.dtype(dtype).kind == "f":
        return rng.integers(-1000, 1000, count).astype(dtype)
    limits = np.iinfo(dtype)
    return rng.integers(limits.min, limits.max, count, dtype, endpoint=True)


def compiled(loop: Callable[..., None]) -> Any:
    return njit(nogil=True)(loop)


def computed(loop: Callable[..., None], *arguments: Any, dtype: Any, count: int) -> Array:
    out = np.zeros(count, dtype)
    compiled(loop)(*arguments, out)
    return out


def assert_rows(found: Array, expected: list[Array]) -> None:
    for row, (one, other) in enumerate(zip(found.reshape(len(expected), -1), expected, strict=True)):
        np.testing.assert_array_equal(one, other, f"row {row}")


def _moved(x: Array, out: Array) -> None:
    a = load(x, 1, N)
    store(out, 0, a)
    store(out, N, load(x, 0, N))
    store_part(out, 2 * N + 1, a, 3)
    store(out, 3 * N, reversed_lanes(a))
    store(out, 4 * N, join((low(a), high(a))))
    store(out, 5 * N, join((high(a), low(a))))
    store_part(out, 6 * N, first_and_nothing(a), 3)
    out[7 * N] = lane(a, 7)
    out[7 * N + 1] = item(x, 3)
    store(out, 8 * N, splat(x[2], N))
    store(out, 9 * N, zeros(out.dtype, N))


@pytest.mark.parametrize("dtype", TYPES)
def test_vectors_are_loaded_rearranged_and_stored(dtype: Any) -> None:
    x = numbers(dtype, N + 1)
    a = x[1:]
    some, three, one = np.zeros((3, N), dtype)
    some[1:4], one[0], one[1] = a[:3], a[7], x[3]
    three[:3] = a[0], 0, a[-1]
    turned = np.concatenate([a[N // 2 :], a[: N // 2]])
    assert_rows(
        computed(_moved, x, dtype=dtype, count=10 * N),
        [a, x[:N], some, a[::-1], a, turned, three, one, np.full(N, x[2]), np.zeros(N)],
    )


def _woven(x: Array, out: Array) -> None:
    a, b, c, d = load(x, 0, N), load(x, N, N), load(x, 2 * N, N), load(x, 3 * N, N)
    store(out, 0, join(weave((a, b))))
    store(out, 2 * N, join(weave((a, b, c))))
    store(out, 5 * N, join(weave((a, b, c, d))))
    store(out, 9 * N, join(unweave((a, b))))
    store(out, 11 * N, join(unweave((a, b, c))))
    store(out, 14 * N, join(unweave((a, b, c, d))))


@pytest.mark.parametrize("dtype", TYPES)
def test_planes_are_woven_and_dealt_out(dtype: Any) -> None:
    x = numbers(dtype, 4 * N)
    woven = [x[: count * N].reshape(count, N).T.reshape(-1) for count in (2, 3, 4)]
    dealt = [x[: count * N].reshape(N, count).T.reshape(-1) for count in (2, 3, 4)]
    np.testing.assert_array_equal(computed(_woven, x, dtype=dtype, count=18 * N), np.concatenate([*woven, *dealt]))


def _exchanged(x: Array, places: Array, out: Array) -> None:
    rows = load_rows(x, 1, places, 2, N)
    store_rows(out, 0, places, 2, transpose(rows))


@pytest.mark.parametrize("dtype", TYPES)
def test_rows_and_lanes_are_exchanged(dtype: Any) -> None:
    """Rows stand anywhere; these in twos, the second one first."""
    places = np.array([-9, -9, *(N * (i ^ 1) for i in range(N))])
    x = numbers(dtype, N * N + 1)
    rows = x[1:].reshape(N, N)[places[2:] // N]
    found = computed(_exchanged, x, places, dtype=dtype, count=N * N)
    np.testing.assert_array_equal(found.reshape(N, N)[places[2:] // N], rows.T)


def _spaced(x: Array, out: Array) -> None:
    store_each(out, 2, N, load_each(x, 3, N + 1, 3, N))
    store_each(out, 2 + 3 * N, 2 * N, load_each(x, 0, 0, 2, N))


@pytest.mark.parametrize("dtype", TYPES)
def test_vectors_stand_as_far_apart_as_is_said(dtype: Any) -> None:
    x = numbers(dtype, 4 * N + 5)
    found = computed(_spaced, x, dtype=dtype, count=6 * N + 2)
    for i in range(3):
        np.testing.assert_array_equal(found[2 + i * N :][:N], x[3 + i * (N + 1) :][:N])
    for i in range(2):
        np.testing.assert_array_equal(found[2 + (3 + 2 * i) * N :][:N], x[:N])


def _of_any(x: Array, y: Array, z: Array, out: Array) -> None:
    a, b, c = load(x, 0, N), load(y, 0, N), load(z, 0, N)
    store(out, 0, a + b)
    store(out, N, a - b)
    store(out, 2 * N, a * b)
    store(out, 3 * N, -a)
    store(out, 4 * N, fma(a, b, c))
    store(out, 5 * N, minimum(a, b))
    store(out, 6 * N, maximum(a, b))
    store(out, 7 * N, select(a < b, a, c))
    store(out, 8 * N, select(a <= b, a, c))
    store(out, 9 * N, select(a > b, a, c))
    store(out, 10 * N, select(a >= b, a, c))
    store(out, 11 * N, select(a == b, a, c))
    store(out, 12 * N, select(a != b, a, c))
    store(out, 13 * N, select((a < b) & (a < c), a, b))
    store(out, 14 * N, select((a < b) | (a < c), a, b))
    store(out, 15 * N, select((a < b) ^ (a < c), a, b))


@pytest.mark.parametrize("dtype", TYPES)
def test_arithmetic_and_choice(dtype: Any) -> None:
    a, b, c = (numbers(dtype, seed=seed) for seed in range(3))
    b[::4] = a[::4]
    masks = [a < b, a <= b, a > b, a >= b, a == b, a != b]
    either = [(a < b) & (a < c), (a < b) | (a < c), (a < b) ^ (a < c)]
    expected = [a + b, a - b, a * b, -a, a * b + c, np.minimum(a, b), np.maximum(a, b)]
    expected += [np.where(mask, a, c) for mask in masks] + [np.where(mask, a, b) for mask in either]
    assert_rows(computed(_of_any, a, b, c, dtype=dtype, count=16 * N), expected)


def _of_wholes(x: Array, y: Array, out: Array) -> None:
    a, b = load(x, 0, N), load(x, N, N)
    store(out, 0, a & b)
    store(out, N, a | b)
    store(out, 2 * N, a ^ b)
    store(out, 3 * N, a << load(y, 0, N))
    store(out, 4 * N, a >> load(y, 0, N))


@pytest.mark.parametrize("dtype", WHOLES)
def test_bits(dtype: Any) -> None:
    x, by = numbers(dtype, 2 * N), np.arange(N).astype(dtype) % 8
    a, b = x.reshape(2, N)
    assert_rows(computed(_of_wholes, x, by, dtype=dtype, count=5 * N), [a & b, a | b, a ^ b, a << by, a >> by])


def _of_reals(x: Array, y: Array, out: Array) -> None:
    a, b = load(x, 0, N), load(y, 0, N)
    store(out, 0, a / b)
    store(out, N, absolute(a))
    store(out, 2 * N, sqrt(absolute(a)))
    store(out, 3 * N, minimum(a, b))
    store(out, 4 * N, minimum(b, a))
    store(out, 5 * N, maximum(a, b))
    store(out, 6 * N, select(a != load(x, 0, N), b, a))
    store(out, 7 * N, splat(x[1], N))


@pytest.mark.parametrize("dtype", REALS)
def test_arithmetic_of_floats(dtype: Any) -> None:
    a, b = (numbers(dtype, seed=seed) / 7 for seed in range(2))
    a[3], b[5], a[8:10], b[12] = np.nan, 0, (-np.inf, -0.0), np.inf
    with np.errstate(all="ignore"):
        expected = [a / b, abs(a), np.sqrt(abs(a)), np.where(a < b, a, b), np.where(b < a, b, a), np.where(a > b, a, b)]
    expected += [np.where(np.isnan(a), b, a), np.full(N, a[1])]
    assert_rows(computed(_of_reals, a, b, dtype=dtype, count=8 * N), expected)


@pytest.mark.parametrize("dtype", REALS)
def test_a_product_and_a_sum_are_rounded_once_or_twice(dtype: Any) -> None:
    a, b, c = (np.random.default_rng(seed).normal(size=N).astype(dtype) for seed in range(3))
    exact = a.astype(np.longdouble) * b + c
    found = computed(_only_fma, a, b, c, dtype=dtype, count=N)
    assert np.all(abs(found - exact) <= abs(a * b) * np.finfo(dtype).eps + abs(exact) * np.finfo(dtype).eps)


def _only_fma(x: Array, y: Array, z: Array, out: Array) -> None:
    store(out, 0, fma(load(x, 0, N), load(y, 0, N), load(z, 0, N)))


def _pairs(x: Array, y: Array, out: Array) -> None:
    store(out, 0, pair_products(load(x, 0, N), load(y, 0, N)))


def test_products_of_pairs() -> None:
    x, y = numbers(np.int16), numbers(np.int16, seed=1)
    x[:2] = y[:2] = -(2**15)
    products = x.astype(np.int64) * y
    wrapped = (products[::2] + products[1::2]).astype(np.int32)  # 2**31 is the one sum that is too large
    np.testing.assert_array_equal(computed(_pairs, x, y, dtype=np.int32, count=N // 2), wrapped)


def _over_powers(x: Array, out: Array) -> None:
    for k in range(7):
        store(out, k * N, over_power(load(x, 0, N), k))


@pytest.mark.parametrize("dtype", SIGNED + REALS)
def test_division_by_a_power_of_two_rounds_half_to_even(dtype: Any) -> None:
    x = np.array([-7, -6, -5, -3, -2, -1, 0, 1, 2, 3, 5, 6, 7, 96, 127, -128], dtype)
    exact = [x / 2.0**k for k in range(7)]
    expected = exact if dtype in REALS else [np.rint(row) for row in exact]
    assert_rows(computed(_over_powers, x, dtype=dtype, count=7 * N), expected)


def _filled(number: int, i8: Array, u16: Array, i64: Array, out: Array) -> None:
    store(i8, 0, splat_as(np.int8, number, N))
    store(u16, 0, splat_as(np.uint16, number, N))
    store(i64, 0, splat(number, N))
    store(out, 0, splat_as(np.uint32, 7, N))


def test_lanes_are_filled_with_integers() -> None:
    arrays = [np.zeros(N, dtype) for dtype in (np.int8, np.uint16, np.int64)]
    assert computed(_filled, 0x12345, *arrays, dtype=np.uint32, count=N).tolist() == [7] * N
    assert [set(array.tolist()) for array in arrays] == [{0x45}, {0x2345}, {0x12345}]


def _filled_alike(x: Array, number: Any, out: Array) -> None:
    store(out, 0, splat_like(load(x, 0, N), number))


@pytest.mark.parametrize("dtype", WHOLES)
@pytest.mark.parametrize("number", [0, 77, -3, 2**40 + 5])
def test_lanes_are_filled_like_others_with_the_low_bits_of_integers(dtype: Any, number: int) -> None:
    found = computed(_filled_alike, numbers(dtype), number, dtype=dtype, count=N)
    np.testing.assert_array_equal(found, np.full(N, number).astype(dtype))


@pytest.mark.parametrize("dtype", REALS)
@pytest.mark.parametrize("number", [np.float32(0.1), np.float64(0.1), np.float64(1e300)])
def test_lanes_are_filled_like_others_with_floats(dtype: Any, number: Any) -> None:
    found = computed(_filled_alike, numbers(dtype), number, dtype=dtype, count=N)
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(found, np.full(N, number).astype(dtype))


def _looked_up(x: Array, places: Array, out: Array) -> None:
    store(out, 0, look_up(load(x, 0, 16), load(places, 0, 16)))


def test_bytes_are_looked_up() -> None:
    table, places = numbers(np.uint8, 16), np.array([3, 0, 15, 15, 255, 128, 7, 200, *range(8)], np.uint8)
    found = computed(_looked_up, table, places, dtype=np.uint8, count=16)
    np.testing.assert_array_equal(found, np.where(places < 128, table[places % 16], 0))


def _converted(x: Array, f4: Array, f8: Array, i1: Array, i2: Array, i4: Array, u1: Array, u2: Array) -> None:
    a = load(x, 0, N)
    store(f4, 0, convert(a, np.float32))
    store(f8, 0, convert(a, np.float64))
    store(i1, 0, convert(a, np.int8))
    store(i2, 0, convert(a, np.int16))
    store(i4, 0, convert(a, np.int32))
    store(u1, 0, convert(a, np.uint8))
    store(u2, 0, convert(a, np.uint16))


def _converted_whole(x: Array, u4: Array, u8: Array, i8: Array) -> None:
    a = load(x, 0, N)
    store(u4, 0, convert(a, np.uint32))
    store(u8, 0, convert(a, np.uint64))
    store(i8, 0, convert(a, np.int64))


def nearest(numbers: Array, dtype: Any) -> Array:
    if np.dtype(dtype).kind == "f":
        return numbers.astype(dtype)
    limits = np.iinfo(dtype)
    whole = [0 if math.isnan(number) else max(limits.min, min(number, limits.max)) for number in numbers.tolist()]
    return np.array([round(number) for number in whole], dtype)


def hard(dtype: Any) -> Array:
    """List numbers at which a conversion may fail: ties, limits of all types, NaN."""
    if np.dtype(dtype).kind != "f":
        limits = np.iinfo(dtype)
        near = [
            end + step
            for other in TYPES[2:]
            for end in (np.iinfo(other).min, np.iinfo(other).max)
            for step in (-1, 0, 1)
        ]
        return np.array(sorted({number for number in near if limits.min <= number <= limits.max}), dtype)
    ends = [float(end) for other in WHOLES for end in (np.iinfo(other).min, np.iinfo(other).max)]
    beside = [end + step for end in ends for step in (-1, -0.5, 0, 0.5, 1)]
    halves = [0.5, 1.5, 2.5, -0.5, -1.5, 0.49999997, 254.5, 253.5, 1e-30, -0.0]
    with np.errstate(over="ignore"):
        return np.array([*beside, *halves, np.nan, np.inf, -np.inf, 1e30, -1e30, 1e300], dtype)


@pytest.mark.parametrize("dtype", TYPES)
def test_conversions_round_half_to_even_and_clip(dtype: Any) -> None:
    some, wholes = (
        (np.float32, np.float64, np.int8, np.int16, np.int32, np.uint8, np.uint16),
        (np.uint32, np.uint64, np.int64),
    )
    given = hard(dtype)
    x = np.resize(given, -(-len(given) // N) * N)
    ways: list[tuple[Any, Any]] = [(compiled(_converted), some)]
    if np.dtype(dtype).kind != "f":
        ways.append((compiled(_converted_whole), wholes))
    for loop, targets in ways:
        for part in x.reshape(-1, N):
            results = [np.zeros(N, target) for target in targets]
            loop(part, *results)
            for result in results:
                with np.errstate(over="ignore"):
                    np.testing.assert_array_equal(result, nearest(part, result.dtype), f"{part} to {result.dtype}")


def _viewed(x: Array, out: Array) -> None:
    store(out, 0, view(load(x, 0, N), np.uint8))


@pytest.mark.parametrize("dtype", [np.int32, np.uint32, np.int64, np.uint64])
def test_bits_are_taken_for_other_numbers(dtype: Any) -> None:
    x = numbers(dtype)
    np.testing.assert_array_equal(computed(_viewed, x, dtype=np.uint8, count=x.nbytes), x.view(np.uint8))


def _as_bytes(x: Array, out: Array) -> None:
    store(out, 1, load_as(np.uint16, x, 1, N))
    store(out, 1 + 2 * N, load_as(np.float64, x, 3, N))
    store_part(out, 1 + 10 * N, load_as(np.int32, x, 5, N), 3)
    store(out, 18 + 10 * N, load_part_as(np.uint16, x, 7, 3, N))


def test_bytes_hold_numbers_of_any_type_at_any_place() -> None:
    x, size = numbers(np.uint8, 200), 18 + 12 * N
    expected = np.concatenate(
        [[0], x[1 : 1 + 2 * N], x[3 : 3 + 8 * N], x[5:17], np.zeros(5), x[7:13], np.zeros(2 * N - 6)]
    )
    np.testing.assert_array_equal(computed(_as_bytes, x, dtype=np.uint8, count=size), expected)


def _streamed(x: Array, out: Array) -> None:
    prefetch(x, 10**6, 0, 3)
    prefetch(out, 0, 1, 2)
    for i in range(0, len(x), N):
        stream(out, i, load(x, i, N))


@pytest.mark.parametrize("dtype", TYPES)
def test_what_passes_by_the_caches_arrives(dtype: Any) -> None:
    x, out = numbers(dtype, 4 * N), aligned((4 * N,), dtype, np.zeros)
    compiled(_streamed)(x, out)
    np.testing.assert_array_equal(out, x)


def _of_width(lanes: int) -> Callable[..., None]:
    def double(x: Array, out: Array) -> None:
        a = load(x, 0, lanes)
        store(out, 0, convert(a + a, np.uint8))

    return double


@pytest.mark.parametrize("lanes", [1, 3, 7, VECTOR_BYTES // 4, 3 * VECTOR_BYTES // 2, 96])
def test_any_number_of_lanes_will_do(lanes: int) -> None:
    x = np.arange(lanes + 1, dtype=np.float32)
    expected = [2.0 * i for i in range(lanes)] + [0]
    assert computed(_of_width(lanes), x, dtype=np.uint8, count=lanes + 1).tolist() == expected


def _doubled(x: Array, out: Array) -> None:
    a = load(x, 0, N)
    a += a
    store(out, 0, a)
    a -= load(x, 0, N)
    a *= a
    store(out, N, a)


@pytest.mark.parametrize("dtype", TYPES)
def test_arithmetic_in_place(dtype: Any) -> None:
    x = numbers(dtype)
    assert_rows(computed(_doubled, x, dtype=dtype, count=2 * N), [x + x, x * x])


def _several_widths(x: Array, out: Array) -> None:
    store(out, 0, load(x, 0, 4) + splat(x[0], 4))
    store(out, 4, load(x, 4, 8) + splat(x[0], 8))
    store(out, 12, load(x, 12, 16) + splat(x[0], 16))


def test_one_loop_has_vectors_of_several_widths() -> None:
    x = np.arange(1, 29, dtype=np.float32)
    assert computed(_several_widths, x, dtype=np.float32, count=28).tolist() == (x + 1).tolist()


def _of_size(x: Array, out: Array) -> None:
    lanes = lanes_of(x, N)
    store(out, 0, load(x, 0, lanes))
    out[N] = lanes


@pytest.mark.parametrize("dtype", TYPES)
def test_lanes_follow_from_the_type(dtype: Any) -> None:
    x, lanes = numbers(dtype), N // np.dtype(dtype).itemsize
    found = computed(_of_size, x, dtype=dtype, count=N + 1)
    assert found.tolist() == [*x[:lanes].tolist(), *[0] * (N - lanes), lanes]


@pytest.mark.parametrize("count", range(N + 1))
def test_the_end_of_a_row_is_all_that_is_touched(count: int) -> None:
    x = numbers(np.uint16, N)
    found = computed(_end_of_row, x[:count].view(np.uint8), count, dtype=np.uint16, count=N)
    assert found.tolist() == [*x[:count].tolist(), *[0] * (N - count)]


def _end_of_row(x: Array, count: int, out: Array) -> None:
    store_part(out, 0, load_part_as(np.uint16, x, 0, count, N), count)


def test_each_piece_is_given_once() -> None:
    counter, taken = np.zeros(1, np.int64), np.zeros((4, 1000), np.int64)
    take = compiled(_take)
    take(counter, taken[:, :0][0])
    threads = [Thread(target=take, args=(counter, row)) for row in taken]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken.reshape(-1).tolist()) == list(range(4000))


def _take(counter: Array, taken: Array) -> None:
    for i in range(len(taken)):
        taken[i] = next_piece(counter)


def _mixed_types(x: Array, y: Array, out: Array) -> None:
    store(out, 0, load(x, 0, N) + load(y, 0, N))


def _wrong_store(x: Array, y: Array, out: Array) -> None:
    store(y, 0, load(x, 0, N))


def _unknown_lanes(x: Array, y: Array, out: Array) -> None:
    store(out, 0, load(x, 0, len(x)))


def _no_way(x: Array, y: Array, out: Array) -> None:
    store(y, 0, convert(load(x, 0, N), np.int64))


@pytest.mark.parametrize("loop", [_mixed_types, _wrong_store, _unknown_lanes, _no_way])
def test_nothing_is_converted_silently(loop: Callable[..., None]) -> None:
    with pytest.raises(TypingError):
        computed(loop, np.zeros(N, np.float32), np.zeros(N, np.int64), dtype=np.float32, count=N)
