"""Bytes that are dealt out and woven, against NumPy's axes."""

from __future__ import annotations

import numpy as np
import pytest

from service.engine.algorithms.resampling import moves
from service.engine.loops.moving import BLOCK, move
from tests.floors import needs_loops

UNITS = (1, 2, 3, 4, 6, 8, 12, 16, 32, 5 * 8)


def noise(size: int) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    return np.random.default_rng(size).integers(0, 256, size, np.uint8)


@needs_loops
@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("planes", [2, 3, 5, 8, 16])
@pytest.mark.parametrize("length", [1, 7, 133])
def test_planes_are_woven(unit: int, planes: int, length: int) -> None:
    each = length * unit
    apart = each + 24
    source = noise(planes * apart + BLOCK)
    expected = np.stack([source[p * apart : p * apart + each].reshape(length, unit) for p in range(planes)], 1).ravel()
    for size in (len(expected), len(expected) - unit):  # the last plane may be shorter than the others
        target = np.zeros(size + 2, np.uint8)
        move(moves(unit, planes, 1, apart), source, 0, target, 1, size)
        np.testing.assert_array_equal(target, np.pad(expected[:size], 1))


@needs_loops
@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("step", [2, 3, 5, 8, 29])
@pytest.mark.parametrize("length", [1, 7, 133])
def test_units_are_dealt_out(unit: int, step: int, length: int) -> None:
    source = noise(length * step * unit + BLOCK)
    for plane in range(step):
        expected = source[: length * step * unit].reshape(length, step, unit)[:, plane].ravel()
        target = np.zeros(len(expected) + 2, np.uint8)
        move(moves(unit, 1, step, 0), source, plane * unit, target, 1, len(expected))
        np.testing.assert_array_equal(target, np.pad(expected, 1))
