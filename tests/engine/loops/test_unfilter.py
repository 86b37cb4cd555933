"""Rows unfiltered together, against the specification taken byte by byte."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from service.engine.loops.png import NONE, PAETH
from service.engine.loops.unfilter import TOGETHER, unfilter_rows

Rows = NDArray[np.uint8]


def unfiltered(filtered: Rows, prior: Rows, pixel: int) -> Rows:
    """Call the loop as the reader does; it must not touch what lies around its output."""
    rows, size = filtered.shape[0], filtered.shape[1] - 1
    memory = np.full((rows + 2) * size, 0xA5, np.uint8)
    out = memory[size:-size].reshape(rows, size)
    source = np.frombuffer(filtered.tobytes(), np.uint8).reshape(filtered.shape)
    assert unfilter_rows(source, prior, pixel, out)
    assert (memory[:size] == 0xA5).all()
    assert (memory[-size:] == 0xA5).all()
    return out


def by_the_specification(filtered: Rows, prior: Rows, pixel: int) -> Rows:
    rows, above = [], prior.tolist()
    for way, *row in filtered.tolist():
        for i, residual in enumerate(row):
            a, b, c = (row[i - pixel], above[i], above[i - pixel]) if i >= pixel else (0, above[i], 0)
            nearest = min((a, b, c), key=lambda guess, p=a + b - c: abs(p - guess))  # type: ignore[misc]
            row[i] = (residual + (0, a, b, (a + b) // 2, nearest)[way]) % 256
        rows.append(row)
        above = row
    return np.array(rows, np.uint8)


def check(filtered: Rows, pixel: int, seed: int = 0) -> None:
    prior = np.random.default_rng(seed).integers(0, 256, filtered.shape[1] - 1).astype(np.uint8)
    for above in (prior, np.zeros_like(prior)):
        np.testing.assert_array_equal(unfiltered(filtered, above, pixel), by_the_specification(filtered, above, pixel))


WIDTHS = [*range(1, 2 * TOGETHER + 3), 40, 131]
HEIGHTS = [1, 2, TOGETHER - 1, TOGETHER, TOGETHER + 1, 3 * TOGETHER + 2]


@pytest.mark.parametrize("pixel", [1, 2, 3, 4, 6, 8])
@pytest.mark.parametrize("way", [*range(5), None])
def test_every_way_and_all_of_them_together(way: int | None, pixel: int) -> None:
    for width in WIDTHS:
        for height in HEIGHTS:
            rng = np.random.default_rng(width * 100 + height)
            filtered = rng.integers(0, 256, (height, 1 + width * pixel)).astype(np.uint8)
            filtered[:, 0] = rng.integers(0, 5, height) if way is None else way
            check(filtered, pixel)


@pytest.mark.parametrize("pixel", [1, 3, 8])
def test_one_row_that_looks_to_the_left_among_others(pixel: int) -> None:
    for row in range(TOGETHER):
        for way in (1, 3, 4):
            filtered = np.random.default_rng(row).integers(0, 256, (TOGETHER, 1 + 31 * pixel)).astype(np.uint8)
            filtered[:, 0] = [2, 0] * (TOGETHER // 2)
            filtered[row, 0] = way
            check(filtered, pixel)


def test_paeths_filter_for_all_neighbours() -> None:
    """All pairs of corner and above, in a sequence in which each stands once, over rows of one level."""
    pairs = np.array(
        [0, *(level for low in range(256) for high in range(low, 256) for level in (low, high)[low == high :])]
    )
    assert len(set(zip(pairs, [*pairs[1:], 0], strict=True))) == 256 * 256
    levels = range(0, 256, 5)
    image = np.array([row for level in levels for row in (pairs, np.full_like(pairs, level))])
    a, b, c = image[1::2, :-1], image[::2, 1:], image[::2, :-1]
    distances = np.stack([abs(b - c), abs(a - c), abs(a + b - 2 * c)])
    nearest = np.take_along_axis(np.stack([a, b, c]), distances.argmin(axis=0)[None], axis=0)[0]
    filtered = np.zeros((len(image), 1 + len(pairs)), np.uint8)
    filtered[:, 0] = [NONE, PAETH] * len(levels)
    filtered[:, 1:] = image
    filtered[1::2, 1] = image[1::2, 0] - image[::2, 0]
    filtered[1::2, 2:] = image[1::2, 1:] - nearest
    np.testing.assert_array_equal(unfiltered(filtered, np.zeros(len(pairs), np.uint8), 1), image)


@pytest.mark.parametrize("row", [0, 3, TOGETHER, 2 * TOGETHER])
def test_an_unknown_way_is_told(row: int) -> None:
    filtered: Any = np.zeros((2 * TOGETHER + 1, 100), np.uint8)
    filtered[row, 0] = 5
    source = np.frombuffer(filtered.tobytes(), np.uint8).reshape(filtered.shape)
    assert not unfilter_rows(source, np.zeros(99, np.uint8), 3, np.empty((len(filtered), 99), np.uint8))
