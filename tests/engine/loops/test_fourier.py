"""Transforms of columns against NumPy's, for every side that a tile may have."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from service.engine.algorithms.tiles import axis_of, order_of
from service.engine.algorithms.tilings import SIDES
from service.engine.loops.compiler import compiled
from service.engine.loops.fourier import (
    BACKWARDS,
    BESIDE,
    FORWARDS,
    ROW,
    Axis,
    backward,
    forward,
    innermost,
    multiply,
    transposed,
)
from service.engine.loops.vectors import LANES

RANDOM = np.random.default_rng(0)


def columns(side: int) -> NDArray[np.complex64]:
    return (RANDOM.normal(size=(side, LANES)) + 1j * RANDOM.normal(size=(side, LANES))).astype(np.complex64)


def block_of(numbers: NDArray[Any]) -> NDArray[np.float32]:
    return np.stack([numbers.real, numbers.imag], axis=1).astype(np.float32).reshape(-1)


def numbers_of(block: NDArray[np.float32]) -> NDArray[np.complex128]:
    parts = block.reshape(-1, 2, LANES).astype(np.float64)
    return parts[:, 0] + 1j * parts[:, 1]


def transformed(block: NDArray[np.float32], axis: Axis) -> NDArray[np.float32]:
    forward(block, axis)
    innermost(block, axis, FORWARDS)
    return block


def close(found: NDArray[Any], expected: NDArray[Any]) -> bool:
    return bool(np.abs(found - expected).max() < 1e-6 * np.abs(expected).max())


@pytest.mark.parametrize("side", SIDES)
def test_forwards_gives_the_spectrum_in_the_order_that_is_told(side: int) -> None:
    x, axis = columns(side), axis_of(side)
    assert sorted(order_of(axis)) == list(range(side))
    found = numbers_of(transformed(block_of(x), axis))
    assert close(found, np.fft.fft(x.astype(np.complex128), axis=0)[order_of(axis)])


@pytest.mark.parametrize("side", SIDES)
def test_backwards_undoes_it_but_for_the_length(side: int) -> None:
    x, axis = columns(side), axis_of(side)
    block = transformed(block_of(x), axis)
    innermost(block, axis, BACKWARDS)
    backward(block, axis)
    assert close(numbers_of(block) / side, x)


@pytest.mark.parametrize("side", SIDES)
def test_filtering_multiplies_the_spectrum(side: int) -> None:
    x, spectrum, axis = columns(side), columns(side), axis_of(side)
    block = block_of(x)
    forward(block, axis)
    innermost(block, axis, FORWARDS)
    multiply(block, block_of(spectrum[order_of(axis)]), block, again=False)
    innermost(block, axis, BACKWARDS)
    backward(block, axis)
    expected = np.fft.ifft(np.fft.fft(x.astype(np.complex128), axis=0) * spectrum, axis=0)
    assert close(numbers_of(block) / side, expected)


def test_products_are_added_up() -> None:
    x, y, sums = columns(16), columns(16), block_of(np.zeros((16, LANES)))
    multiply(block_of(x), block_of(y), sums, again=False)
    multiply(block_of(y), block_of(y), sums, again=True)
    assert close(numbers_of(sums), x.astype(np.complex128) * y + y.astype(np.complex128) * y)


@compiled
def _there_and_back(
    block: NDArray[Any], aside: NDArray[Any], again: NDArray[Any], places: NDArray[Any], first: int
) -> None:
    transposed(block, 0, BESIDE, 0, aside, ROW, places, first)
    transposed(aside, ROW, places, first, again, 0, BESIDE, 0)


def test_transposition_exchanges_rows_and_lanes_at_the_places_of_a_table() -> None:
    x, order = columns(LANES), RANDOM.permutation(2 * LANES)
    aside, again = np.zeros((2 * LANES + 1) * ROW, np.float32), np.zeros(LANES * ROW, np.float32)
    _there_and_back(block_of(x), aside, again, order * ROW, 3)
    np.testing.assert_array_equal(numbers_of(aside)[1 + order[3 : 3 + LANES]], x.T)
    np.testing.assert_array_equal(again, block_of(x))
