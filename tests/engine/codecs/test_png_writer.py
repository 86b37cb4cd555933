from __future__ import annotations

import zlib
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from service.engine.codecs import Compression, decode, encode_png, inspect
from service.engine.loops.png import PAETH, filter_rows
from service.engine.machine.limits import Limits
from tests.engine.codecs.samples import image_of, profile, saved, unfiltered
from tests.floors import needs_loops

SIZES = [(1, 1), (1, 41), (41, 1), (2, 2), (23, 19)]
MANY_STRIPS = (301, 2003)


def read(data: bytes) -> NDArray[Any]:
    return decode(data, inspect(data, Limits())).image


@pytest.mark.parametrize("compression", ["fast", "small"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("size", [*SIZES, MANY_STRIPS])
def test_pillow_reads_back_what_was_written(size: tuple[int, int], channels: int, compression: Compression) -> None:
    image = image_of(*size, channels)
    data = encode_png(image, compression=compression)
    picture = Image.open(BytesIO(data))
    assert picture.mode == ("L", "LA", "RGB", "RGBA")[channels - 1]
    np.testing.assert_array_equal(np.asarray(picture).reshape(image.shape), image)
    np.testing.assert_array_equal(read(data), image)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("size", SIZES)
def test_16_bits_are_written_big_endian_and_whole(size: tuple[int, int], channels: int) -> None:
    image = image_of(*size, channels, np.uint16)
    data = encode_png(image)
    assert unfiltered(data, 2 * channels, 2 * channels * size[1]) == image.astype(">u2").tobytes()
    np.testing.assert_array_equal(read(data), image)


def test_16_bits_in_many_strips_are_read_back() -> None:
    image = image_of(*MANY_STRIPS, 3, np.uint16)
    np.testing.assert_array_equal(read(encode_png(image, threads=2)), image)


def test_the_number_of_threads_does_not_change_the_bytes() -> None:
    image = image_of(*MANY_STRIPS, 3)
    first = encode_png(image)
    assert all(encode_png(image, threads=threads) == first for threads in (1, 2, 3, 64))


@needs_loops
def test_every_filter_is_chosen_somewhere() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (1, 64, 1))
    sub, up = np.cumsum(noise * 0 + 3, axis=1), np.repeat(noise, 3, axis=0)
    plane = np.add.outer(noise[0, :, 0], noise[0, :, 0])[:, :, None] // 2
    average = image_of(40, 40, 1) // 3 + np.random.default_rng(1).integers(0, 60, (40, 40, 1))
    chosen = set()
    for levels in (noise // 8, sub, up, plane, average):
        image = np.ascontiguousarray(levels % 256, np.uint8)
        data = encode_png(image)
        start = data.index(b"IDAT") - 4
        stream, position = b"", start
        while data[position + 4 : position + 8] == b"IDAT":
            length = int.from_bytes(data[position : position + 4], "big")
            stream += data[position + 8 : position + 8 + length]
            position += 12 + length
        chosen |= set(zlib.decompress(stream)[:: 1 + image.shape[1]])
    assert chosen == {0, 1, 2, 3, 4}


@pytest.mark.parametrize("channels", [1, 3])
def test_the_filter_chosen_leaves_the_smallest_magnitudes_up_to_16(channels: int) -> None:
    """Count by the letter of the specification, the first pixel left out."""
    rng = np.random.default_rng(channels)
    steps = [
        image_of(12, 5000, channels),
        rng.integers(0, 256, (12, 5000, channels)),
        rng.integers(0, 3, (12, 9, channels)),
    ]
    for image in steps:
        rows = np.ascontiguousarray(image, np.uint8).reshape(len(image), -1)
        filtered = np.empty((len(rows), 1 + rows.shape[1]), np.uint8)
        rows.flags.writeable = False
        filter_rows(rows, 0, channels, False, filtered)
        below = np.empty((3, filtered.shape[1]), np.uint8)
        filter_rows(rows, 5, channels, False, below)
        np.testing.assert_array_equal(below, filtered[5:8])
        prior = np.zeros(rows.shape[1], int)
        for row, found in zip(rows.astype(int), filtered, strict=True):
            residuals = [np.array(each) for each in by_the_specification(row, prior, channels)]
            np.testing.assert_array_equal(found[1:], residuals[found[0]])
            sums = [np.minimum(np.minimum(each, 256 - each), 16)[channels:].sum() for each in residuals]
            assert sums[found[0]] == min(sums)
            prior = row


def by_the_specification(row: NDArray[Any], prior: NDArray[Any], pixel: int) -> list[list[int]]:
    ways: list[list[int]] = [[], [], [], [], []]
    for i, x in enumerate(row):
        a, b, c = (row[i - pixel], prior[i], prior[i - pixel]) if i >= pixel else (0, prior[i], 0)
        nearest = min((a, b, c), key=lambda guess, p=a + b - c: abs(p - guess))  # type: ignore[misc]
        for way, guess in zip(ways, (0, a, b, (a + b) // 2, nearest), strict=True):
            way.append((x - guess) % 256)
    return ways


def test_paeths_filter_is_the_specifications_for_all_neighbours() -> None:
    """All pairs of left and corner under each value above: a row of two pixels that are 2^16 bytes wide.

    The right one is what the specification predicts, so that no other filter leaves as little, which is nothing.
    """
    left, corner = (grid.reshape(-1) for grid in np.mgrid[:256, :256].astype(np.uint8))
    for above in range(0, 256, 5):
        a, b, c = left.astype(int), above, corner.astype(int)
        distances = np.stack([abs(b - c), abs(a - c), abs(a + b - 2 * c)])
        guesses = np.stack([a, np.full_like(a, b), c])
        nearest = guesses[distances.argmin(axis=0), np.arange(len(a))]
        rows = np.array([[corner, np.full_like(corner, above)], [left, nearest]], np.uint8).reshape(2, -1)
        rows.flags.writeable = False
        filtered = np.empty((2, 1 + rows.shape[1]), np.uint8)
        filter_rows(rows, 0, len(left), False, filtered)
        assert filtered[1, 0] == PAETH
        assert not filtered[1, 1 + len(left) :].any()


def test_images_of_any_layout_and_without_leave_to_write_are_taken() -> None:
    image = image_of(20, 30, 3)
    plain = encode_png(image)
    frozen = image.copy()
    frozen.flags.writeable = False
    assert encode_png(frozen) == plain
    assert encode_png(np.asfortranarray(image)) == plain
    assert encode_png(np.dstack([image, image])[:, :, :3]) == plain


def test_a_profile_is_written_when_it_is_given() -> None:
    icc = profile(b"RGB ")
    image = image_of(4, 4, 3)
    data = encode_png(image, icc=icc)
    assert Image.open(BytesIO(data)).info["icc_profile"] == icc
    assert decode(data, inspect(data, Limits())).icc == icc
    assert b"iCCP" not in encode_png(image)


def test_fast_is_no_larger_than_pillows_fastest() -> None:
    image = image_of(400, 600, 3)
    assert len(encode_png(image)) < len(saved(image, "PNG", compress_level=1))
