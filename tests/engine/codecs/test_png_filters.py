"""PNG's filters by NumPy, against the specification taken byte by byte."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.engine.codecs import png_filters
from service.engine.codecs.png_filters import AVERAGE, NONE, PAETH, SUB, UP, Rows, filter_rows, unfilter_rows

PIXELS = [1, 2, 3, 4, 6, 8]
WAYS = [NONE, SUB, UP, AVERAGE, PAETH]
RANDOM = np.random.default_rng(0)


def noise(*shape: int) -> Rows:
    return RANDOM.integers(0, 256, shape, np.uint8)


def by_the_specification(filtered: Rows, prior: Rows, pixel: int) -> Rows:
    rows, above = [], prior.tolist()
    for way, *row in filtered.tolist():
        for i, residual in enumerate(row):
            left, corner = (row[i - pixel], above[i - pixel]) if i >= pixel else (0, 0)
            guess = left + above[i] - corner
            nearest = min((left, above[i], corner), key=lambda value, p=guess: abs(p - value))  # type: ignore[misc]
            row[i] = (residual + (0, left, above[i], (left + above[i]) // 2, nearest)[way]) % 256
        rows.append(row)
        above = row
    return np.array(rows, np.uint8)


def check(filtered: Rows, pixel: int) -> None:
    filtered.flags.writeable = False
    for prior in (noise(filtered.shape[1] - 1), np.zeros(filtered.shape[1] - 1, np.uint8)):
        out = np.full((len(filtered), filtered.shape[1] - 1), 0xA5, np.uint8)
        assert unfilter_rows(filtered, prior, pixel, out)
        np.testing.assert_array_equal(out, by_the_specification(filtered, prior, pixel))


@pytest.mark.parametrize("pixel", PIXELS)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (7, 5), (5, 7)])
def test_each_filter_is_undone(way: int, pixel: int, size: tuple[int, int]) -> None:
    rows, pixels = size
    filtered = noise(rows, 1 + pixels * pixel)
    filtered[:, 0] = way
    check(filtered, pixel)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(WAYS), min_size=1, max_size=12), st.integers(1, 9), st.sampled_from(PIXELS))
def test_rows_of_all_filters_are_undone_in_any_order(ways: list[int], pixels: int, pixel: int) -> None:
    filtered = noise(len(ways), 1 + pixels * pixel)
    filtered[:, 0] = ways
    check(filtered, pixel)


def test_rows_that_do_not_go_together_leave_no_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(png_filters, "HIGHEST", 3)
    filtered = noise(20, 1 + 2 * 3)
    filtered[:, 0] = RANDOM.choice([AVERAGE, PAETH], 20)
    check(filtered, 3)


@pytest.mark.parametrize("row", [0, 3, 5])
def test_filter_that_does_not_exist_is_told(row: int) -> None:
    filtered = np.zeros((6, 4), np.uint8)
    filtered[row, 0] = PAETH + 1
    assert not unfilter_rows(filtered, np.zeros(3, np.uint8), 3, np.empty((6, 3), np.uint8))


def test_prediction_is_paeths_for_all_bytes() -> None:
    left, above = np.meshgrid(*[np.arange(256)] * 2, indexing="ij")
    for corner in range(256):
        guess = left + above - corner
        distances = np.stack([np.abs(guess - value) for value in (left, above, corner)])
        expected = np.choose(distances.argmin(axis=0), [left, above, corner])
        found = png_filters.nearest(left.astype(np.uint8), above.astype(np.uint8), np.uint8(corner))
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("pixel", PIXELS)
@pytest.mark.parametrize("first", [0, 1, 4])
def test_filtered_rows_give_the_rows_again(pixel: int, first: int) -> None:
    rows = noise(7, 5 * pixel)
    filtered = np.full((7 - first, 1 + 5 * pixel), 0xA5, np.uint8)
    filter_rows(rows, first, pixel, False, filtered)
    prior = rows[first - 1] if first else np.zeros(5 * pixel, np.uint8)
    np.testing.assert_array_equal(by_the_specification(filtered, prior, pixel), rows[first:])


def test_bytes_of_samples_change_places() -> None:
    samples = RANDOM.integers(0, 65536, (4, 6), np.uint16)
    filtered = np.empty((4, 13), np.uint8)
    filter_rows(samples.view(np.uint8), 0, 2, True, filtered)
    found = by_the_specification(filtered, np.zeros(12, np.uint8), 2)
    np.testing.assert_array_equal(found.view(">u2" if np.little_endian else "<u2"), samples)
