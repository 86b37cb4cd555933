from __future__ import annotations

import zlib
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from service.engine.codecs import Compression, decode, encode_png, inspect, warm
from service.engine.limits import Limits
from service.engine.loops.png import filter_rows, unfilter_rows
from tests.engine.codecs.samples import image_of, profile, saved, unfiltered

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


@pytest.mark.parametrize("compression", ["fast", "small"])
def test_the_number_of_threads_does_not_change_the_bytes(compression: Compression) -> None:
    image = image_of(*MANY_STRIPS, 3)
    first = encode_png(image, compression=compression)
    assert all(encode_png(image, compression=compression, threads=threads) == first for threads in (1, 2, 3, 64))


def test_every_filter_is_chosen_somewhere() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (1, 64, 1))
    sub, up = np.cumsum(noise * 0 + 3, axis=1), np.repeat(noise, 3, axis=0)
    plane = np.add.outer(noise[0, :, 0], noise[0, :, 0])[:, :, None] // 2
    average = image_of(40, 40, 1) // 3 + np.random.default_rng(1).integers(0, 60, (40, 40, 1))
    chosen = set()
    for levels in (sub, up, plane, average):
        image = np.ascontiguousarray(levels % 256, np.uint8)
        data = encode_png(image)
        start = data.index(b"IDAT") - 4
        stream, position = b"", start
        while data[position + 4 : position + 8] == b"IDAT":
            length = int.from_bytes(data[position : position + 4], "big")
            stream += data[position + 8 : position + 8 + length]
            position += 12 + length
        chosen |= set(zlib.decompress(stream)[:: 1 + image.shape[1]])
    assert chosen == {1, 2, 3, 4}


def test_images_of_any_layout_and_without_leave_to_write_are_taken() -> None:
    image = image_of(20, 30, 3)
    plain = encode_png(image)
    frozen = image.copy()
    frozen.flags.writeable = False
    assert encode_png(frozen) == plain
    assert encode_png(np.asfortranarray(image)) == plain
    assert encode_png(np.dstack([image, image])[:, :, :3]) == plain


def test_after_warming_no_loop_is_compiled_again() -> None:
    warm()
    for dtype in (np.uint8, np.uint16):
        for size in [*SIZES, MANY_STRIPS]:
            for image in (image_of(*size, 3, dtype), np.asfortranarray(image_of(*size, 1, dtype))):
                image.flags.writeable = False
                data = encode_png(image, threads=2)
                decode(memoryview(data), inspect(data, Limits()), 2)
    loops: list[Any] = [filter_rows, unfilter_rows]
    assert [len(loop.signatures) for loop in loops] == [1, 1]


def test_a_profile_is_written_when_it_is_given() -> None:
    icc = profile(b"RGB ")
    image = image_of(4, 4, 3)
    data = encode_png(image, icc=icc)
    assert Image.open(BytesIO(data)).info["icc_profile"] == icc
    assert decode(data, inspect(data, Limits())).icc == icc
    assert b"iCCP" not in encode_png(image)


def test_small_is_smaller_and_fast_no_larger_than_pillows_fastest() -> None:
    image = image_of(400, 600, 3)
    fast, small = encode_png(image), encode_png(image, compression="small")
    assert len(small) < 0.97 * len(fast)
    assert len(fast) < 1.05 * len(saved(image, "PNG", compress_level=1))
