from __future__ import annotations

import struct
import zlib
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from service.engine.codecs import ImageInfo, decode, inspect
from service.engine.errors import ImageTooLarge, InvalidImage
from service.engine.machine.limits import Limits
from tests.engine.codecs.samples import DEPTHS, SAMPLES, SIGNATURE, chunk, exif, image_of, png, profile, saved

LIMITS = Limits()
KINDS = [(colour, depth) for colour, depths in DEPTHS.items() for depth in depths]
SIZES = [(1, 1), (1, 37), (37, 1), (3, 2), (8, 8), (13, 17)]


def read(data: bytes, threads: int = 1) -> NDArray[Any]:
    info = inspect(data, LIMITS)
    image = decode(data, info, threads).image
    assert image.shape == (info.height, info.width, info.channels)
    assert image.dtype == info.dtype
    assert image.dtype.isnative
    assert image.flags.c_contiguous
    assert info.alpha == (info.channels in {2, 4})
    return image


def drawn(height: int, width: int, colour: int, depth: int) -> NDArray[Any]:
    rng = np.random.default_rng(depth)
    return rng.integers(0, 2**depth, (height, width, SAMPLES[colour])).astype(np.uint16)


def expected(samples: NDArray[Any], colour: int, depth: int, palette: NDArray[Any], clear: NDArray[Any] | None) -> Any:
    """By the letter of the specification, in wide integers."""
    top = 65535 if depth == 16 else 255
    if colour == 3:
        colours = palette[samples[:, :, 0]]
        if clear is None:
            return colours
        alpha = np.append(clear, np.full(256, 255))[samples]
        return np.dstack([colours, alpha])
    levels = samples.astype(int) * top // (2**depth - 1)
    if clear is None:
        return levels
    return np.dstack([levels, np.where((samples == clear).all(axis=2), 0, top)])


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("transparent", [False, True])
@pytest.mark.parametrize(("colour", "depth"), KINDS)
def test_every_kind_is_read_whole(colour: int, depth: int, transparent: bool, interlaced: bool) -> None:
    if transparent and colour in {4, 6}:
        transparent = False
    for height, width in SIZES:
        samples = drawn(height, width, colour, depth)
        palette = np.random.default_rng(1).integers(0, 256, (2**depth if colour == 3 else 1, 3))
        before, clear = [], None
        if colour == 3:
            before.append(chunk(b"PLTE", palette.astype(np.uint8).tobytes()))
        if transparent and colour == 3:
            clear = np.array([7, 200][: 2**depth - 1])
            before.append(chunk(b"tRNS", clear.astype(np.uint8).tobytes()))
        elif transparent:
            clear = samples[height // 2, width // 2]
            before.append(chunk(b"tRNS", clear.astype(">u2").tobytes()))
        image = read(png(samples, depth, colour, interlaced=interlaced, before=before))
        assert image.dtype == (np.uint16 if depth == 16 else np.uint8)
        np.testing.assert_array_equal(image, expected(samples, colour, depth, palette, clear))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_what_pillow_writes_is_read_as_pillow_reads_it(mode: str) -> None:
    picture = Image.fromarray(image_of(61, 53, 3)).convert(mode)
    data = saved(picture, "PNG")
    reference = np.asarray(Image.open(BytesIO(data)).convert({"P": "RGB", "1": "L"}.get(mode, mode)))
    np.testing.assert_array_equal(read(data), reference.reshape(61, 53, -1))


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(("colour", "depth", "interlaced"), [(2, 8, False), (0, 1, False), (2, 8, True)])
def test_pictures_of_many_strips_are_read_whole(colour: int, depth: int, interlaced: bool, threads: int) -> None:
    samples = image_of(300, 1100, SAMPLES[colour]) & (2**depth - 1)
    picture = samples.astype(np.uint8) * (255 // (2**depth - 1))
    if interlaced:
        data = png(samples[:150, :600], depth, colour, interlaced=True)
        np.testing.assert_array_equal(read(data, threads), picture[:150, :600])
    else:
        data = saved(Image.fromarray(picture.squeeze()).convert("1" if depth == 1 else "RGB"), "PNG")
        np.testing.assert_array_equal(read(data, threads), picture)


@pytest.mark.parametrize("place", ["before", "after"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_wherever_it_stands(orientation: int, place: str) -> None:
    samples = image_of(5, 7, 3)
    part = [chunk(b"eXIf", exif(orientation).removeprefix(b"Exif\0\0"))]
    data = png(samples, 8, 2, **{place: part})  # type: ignore[arg-type]
    picture = Image.fromarray(samples)
    picture.getexif()[0x0112] = orientation
    np.testing.assert_array_equal(read(data), np.asarray(ImageOps.exif_transpose(picture)))


def test_of_an_animation_the_default_image_is_read() -> None:
    frames = [Image.fromarray(image_of(8, 9, 3, seed=seed)) for seed in range(3)]
    data = saved(frames[0], "PNG", save_all=True, append_images=frames[1:])
    assert b"acTL" in data
    np.testing.assert_array_equal(read(data), np.asarray(frames[0]))


def test_a_profile_of_the_same_model_is_kept_and_another_left_out() -> None:
    def with_profile(content: bytes, colour: int) -> bytes | None:
        part = chunk(b"iCCP", b"any name\0\0" + zlib.compress(content))
        data = png(image_of(2, 2, SAMPLES[colour]), 8, colour, before=[part])
        return decode(data, inspect(data, LIMITS)).icc

    rgb, gray = profile(b"RGB "), profile(b"GRAY")
    assert with_profile(rgb, 2) == rgb
    assert with_profile(rgb, 6) == rgb
    assert with_profile(gray, 4) == gray
    assert with_profile(gray, 2) is None
    assert with_profile(rgb, 0) is None
    assert with_profile(b"no profile", 2) is None
    assert with_profile(profile(b"RGB ", 2**20 + 1), 2) is None


def test_a_damaged_profile_is_left_out() -> None:
    for content in (b"", b"name", b"name\0\0", b"name\0\0junk", b"name\0\0" + zlib.compress(profile(b"RGB "))[:-9]):
        data = png(image_of(2, 2, 3), 8, 2, before=[chunk(b"iCCP", content)])
        assert decode(data, inspect(data, LIMITS)).icc is None


def test_texts_are_not_inflated() -> None:
    bomb = chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(50_000_000), 9))
    data = png(image_of(2, 2, 3), 8, 2, before=[bomb], after=[bomb])
    np.testing.assert_array_equal(read(data), image_of(2, 2, 3))


def test_bytes_after_the_end_are_nobodys_business() -> None:
    data = png(image_of(2, 2, 3), 8, 2)
    np.testing.assert_array_equal(read(data + b"PK and more"), image_of(2, 2, 3))


def test_too_many_pixels_are_refused_with_value_and_bound() -> None:
    data = png(image_of(5, 7, 1), 8, 0)
    assert inspect(data, Limits(max_image_pixels=35)) == ImageInfo("png", 7, 5, 1, "uint8", alpha=False)
    with pytest.raises(ImageTooLarge, match=r"7×5 = 35 pixels; at most 34"):
        inspect(data, Limits(max_image_pixels=34))


def assembled(header: tuple[int, ...], *parts: bytes) -> bytes:
    return b"".join([SIGNATURE, chunk(b"IHDR", struct.pack(">IIBBBBB", *header)), *parts, chunk(b"IEND")])


RAW = chunk(b"IDAT", zlib.compress(bytes(2 * 3)))  # 2×2 of one byte a pixel
GRAY = (2, 2, 8, 0, 0, 0, 0)
PLTE = chunk(b"PLTE", bytes(6))


def wrong_checksum(part: bytes) -> bytes:
    return part[:-1] + bytes([part[-1] ^ 1])


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (assembled((0, 2, 8, 0, 0, 0, 0), RAW), "0×2"),
        (assembled((2, 2**31, 8, 0, 0, 0, 0), RAW), "2147483648"),
        (assembled((2, 2, 3, 0, 0, 0, 0), RAW), "colour type 0 with 3 bits"),
        (assembled((2, 2, 4, 2, 0, 0, 0), RAW), "colour type 2 with 4 bits"),
        (assembled((2, 2, 8, 5, 0, 0, 0), RAW), "colour type 5"),
        (assembled((2, 2, 8, 0, 1, 0, 0), RAW), "method"),
        (assembled((2, 2, 8, 0, 0, 0, 2), RAW), "method"),
        (assembled((2, 2, 8, 3, 0, 0, 0), RAW), "palette"),
        (assembled((2, 2, 8, 3, 0, 0, 0), RAW, PLTE), "after the pixels"),
        (assembled((2, 2, 8, 3, 0, 0, 0), chunk(b"PLTE", bytes(7)), RAW), "palette"),
        (assembled(GRAY), "no pixels"),
        (assembled(GRAY, RAW, chunk(b"tEXt"), RAW), "between"),
        (assembled(GRAY, chunk(b"IHDR", bytes(13)), RAW), "twice"),
        (assembled(GRAY, chunk(b"CgBI", bytes(4)), RAW), "CgBI"),
        (assembled(GRAY, chunk(b"a\xe9Xt", bytes(4)), RAW), "name"),
        (SIGNATURE + RAW + chunk(b"IEND"), "IHDR"),
        (assembled(GRAY, wrong_checksum(RAW)), "checksum of IDAT"),
        (assembled((2, 2, 8, 3, 0, 0, 0), wrong_checksum(PLTE), RAW), "checksum of PLTE"),
        (assembled(GRAY, chunk(b"IDAT", zlib.compress(bytes(5)))), "fewer"),
        (assembled(GRAY, chunk(b"IDAT", zlib.compress(bytes(7))[:-1] + b"?")), "make sense"),
        (assembled(GRAY, wrong_checksum(chunk(b"IDAT", zlib.compress(bytes(50_000_000))))), "checksum of IDAT"),
        (assembled((2, 2, 8, 3, 0, 0, 0), PLTE, PLTE, RAW), "twice"),
        (assembled(GRAY, chunk(b"IDAT", zlib.compress(bytes(6))[:-5])), "cut off"),
        (assembled(GRAY, chunk(b"IDAT", zlib.compress(bytes(6))[:-1] + b"?")), "make sense"),
        (assembled(GRAY, chunk(b"IDAT", b"no deflate at all")), "make sense"),
        (assembled(GRAY, chunk(b"IDAT", zlib.compress(b"\5\0\0\0\0\0"))), "filter"),
        (assembled((2, 2, 8, 3, 0, 0, 0), PLTE, chunk(b"IDAT", zlib.compress(b"\0\0\1\0\1\2"))), "palette"),
        (assembled(GRAY, *[chunk(b"tEXt")] * 100_001, RAW), "100,000 chunks"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_wrong_is_refused_by_name(data: bytes, words: str) -> None:
    with pytest.raises(InvalidImage, match=words):
        read(data)
