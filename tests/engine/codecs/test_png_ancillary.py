"""What libpng passes over is passed over; what it says of levels and pixels is kept."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from service.engine.codecs import Decoded, decode, encode_png, inspect
from service.engine.codecs.metadata import Density, Metadata
from service.engine.machine.limits import Limits
from tests.engine.codecs.samples import SIGNATURE, chunk, exif, image_of, png, profile

LIMITS = Limits()
RGB = image_of(5, 7, 3)
ICC = profile(b"RGB ")
GAMMA, SRGB, CICP = chunk(b"gAMA", (45455).to_bytes(4, "big")), chunk(b"sRGB", b"\0"), chunk(b"cICP", b"\x09\x10\0\1")
PRIMARIES = chunk(b"cHRM", struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000))
SIZE = chunk(b"pHYs", struct.pack(">IIB", 11811, 5906, 1))
PROFILE = chunk(b"iCCP", b"name\0\0" + zlib.compress(ICC))
TURNED = chunk(b"eXIf", exif(6).removeprefix(b"Exif\0\0"))
KEPT = {"gAMA": GAMMA, "sRGB": SRGB, "cICP": CICP, "cHRM": PRIMARIES, "pHYs": SIZE, "iCCP": PROFILE, "eXIf": TURNED}


def opened(data: bytes) -> Decoded:
    info = inspect(data, LIMITS)
    decoded = decode(data, info)
    assert decoded.image.shape == (info.height, info.width, info.channels)
    return decoded


def same(found: Decoded, expected: Decoded) -> None:
    np.testing.assert_array_equal(found.image, expected.image)
    assert found[1:] == expected[1:]


def content(part: bytes) -> bytes:
    return part[8:-4]


def wrong_checksum(part: bytes) -> bytes:
    return part[:-1] + bytes([part[-1] ^ 1])


def with_chunks(*before: bytes, after: Iterable[bytes] = ()) -> bytes:
    return png(RGB, 8, 2, before=before, after=after)


@pytest.mark.parametrize("damaged", KEPT)
def test_a_chunk_with_a_wrong_checksum_is_dropped_and_the_others_are_kept(damaged: str) -> None:
    parts = {name: wrong_checksum(part) if name == damaged else part for name, part in KEPT.items()}
    others = [part for name, part in KEPT.items() if name != damaged]
    same(opened(with_chunks(*parts.values())), opened(with_chunks(*others)))


@pytest.mark.parametrize("name", KEPT)
def test_the_first_of_two_sound_ones_counts(name: str) -> None:
    other = {
        "gAMA": (100_000).to_bytes(4, "big"),
        "sRGB": b"\1",
        "cICP": b"\1\1\0\1",
        "cHRM": struct.pack(">8I", *range(1, 9)),
        "pHYs": struct.pack(">IIB", 1, 2, 0),
        "iCCP": b"other\0\0" + zlib.compress(profile(b"RGB ", 300)),
        "eXIf": exif(3).removeprefix(b"Exif\0\0"),
    }[name]
    second = chunk(name.encode(), other)
    same(opened(with_chunks(KEPT[name], second)), opened(with_chunks(KEPT[name])))
    same(opened(with_chunks(wrong_checksum(KEPT[name]), second)), opened(with_chunks(second)))
    same(opened(with_chunks(chunk(name.encode(), b"damaged"), second)), opened(with_chunks(second)))


@pytest.mark.parametrize("name", sorted(KEPT.keys() - {"eXIf"}))
def test_a_chunk_behind_the_pixels_is_out_of_place(name: str) -> None:
    same(opened(with_chunks(after=[KEPT[name]])), opened(with_chunks()))


@pytest.mark.parametrize("name", sorted(KEPT.keys() - {"eXIf", "pHYs"}))
def test_what_says_how_colours_are_coded_stands_before_the_palette(name: str) -> None:
    palette = chunk(b"PLTE", bytes(range(6)))
    indices = np.arange(4).reshape(2, 2, 1) % 2
    plain = opened(png(indices, 8, 3, before=[palette]))
    same(opened(png(indices, 8, 3, before=[palette, KEPT[name]])), plain)
    assert opened(png(indices, 8, 3, before=[KEPT[name], palette]))[1:] != plain[1:]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (b"gAMA", b""),
        (b"gAMA", bytes(4)),
        (b"gAMA", bytes(5)),
        (b"gAMA", b"\xff" * 4),
        (b"sRGB", b""),
        (b"sRGB", b"\4"),
        (b"sRGB", b"\0\0"),
        (b"cICP", b"\1\x0d\1\1"),
        (b"cICP", b"\1\x0d\0\2"),
        (b"cICP", b"\1\x0d\0"),
        (b"cHRM", bytes(31)),
        (b"cHRM", b"\x80" + bytes(31)),
        (b"pHYs", bytes(9)),
        (b"pHYs", struct.pack(">IIB", 1, 1, 2)),
        (b"pHYs", struct.pack(">II", 1, 1)),
        (b"pHYs", struct.pack(">IIB", 2**31, 1, 1)),
        (b"iCCP", b"name\0\0" + zlib.compress(ICC)[:-9]),
        (b"eXIf", b"nothing of the sort"),
    ],
)
def test_content_that_cannot_be_meant_is_dropped(kind: bytes, body: bytes) -> None:
    same(opened(with_chunks(chunk(kind, body))), opened(with_chunks()))


def test_a_damaged_transparency_leaves_the_picture_opaque() -> None:
    part = chunk(b"tRNS", struct.pack(">3H", *RGB[0, 0]))
    assert opened(with_chunks(part)).image.shape[2] == 4
    for wrong in (wrong_checksum(part), chunk(b"tRNS", bytes(5)), chunk(b"tRNS")):
        same(opened(with_chunks(wrong)), opened(with_chunks()))


def test_transparency_beyond_what_is_needed_is_ignored() -> None:
    part = struct.pack(">3H", *RGB[0, 0])
    same(opened(with_chunks(chunk(b"tRNS", part + b"more"))), opened(with_chunks(chunk(b"tRNS", part))))
    gray = RGB[:, :, :1]
    level = struct.pack(">H", gray[0, 0, 0])
    longer, plain = (png(gray, 8, 0, before=[chunk(b"tRNS", level + more)]) for more in (b"\0", b""))
    same(opened(longer), opened(plain))


def palette_png(colours: int, *clear: bytes, depth: int = 4, clear_first: bool = False) -> bytes:
    parts = [chunk(b"PLTE", np.random.default_rng(0).bytes(3 * colours))]
    place = 0 if clear_first else 1
    parts[place:place] = [chunk(b"tRNS", each) for each in clear]
    return png(np.arange(16).reshape(4, 4, 1) % 2**depth, depth, 3, before=parts)


def test_colours_that_no_pixel_can_name_are_ignored() -> None:
    for colours in (16, 17, 64, 256, 300):
        image = opened(palette_png(colours)).image
        np.testing.assert_array_equal(image, opened(palette_png(16)).image)
    pillows = Image.open(BytesIO(palette_png(64))).convert("RGB")
    np.testing.assert_array_equal(opened(palette_png(64)).image, np.asarray(pillows))


def test_transparency_longer_than_the_palette_is_cut() -> None:
    clear = bytes(range(100, 116))
    image = opened(palette_png(16, clear + bytes(9))).image
    np.testing.assert_array_equal(image[:, :, 3].ravel(), list(clear))
    same(opened(palette_png(16, clear + bytes(9))), opened(palette_png(16, clear)))


def test_the_first_of_two_transparencies_counts_as_in_libpng() -> None:
    image = opened(palette_png(16, b"\xff\0", b"\xff\4")).image
    assert image[0, 1, 3] == 0
    same(opened(palette_png(16, b"\xff\0", b"\xff\4")), opened(palette_png(16, b"\xff\0")))


def test_transparency_before_its_palette_is_out_of_place() -> None:
    same(opened(palette_png(16, b"\0", clear_first=True)), opened(palette_png(16)))


@pytest.mark.parametrize(
    "palettes",
    [
        [wrong_checksum(chunk(b"PLTE", bytes(6)))],
        [chunk(b"PLTE", bytes(7))],
        [chunk(b"PLTE", bytes(6))] * 2,
        [chunk(b"PLTE")],
    ],
)
@pytest.mark.parametrize("colour", [0, 2])
def test_a_palette_that_is_not_needed_may_be_anything(palettes: list[bytes], colour: int) -> None:
    samples = RGB if colour == 2 else RGB[:, :, :1]
    same(opened(png(samples, 8, colour, before=palettes)), opened(png(samples, 8, colour)))


def surplus(extra: bytes, tail: bytes = b"") -> bytes:
    rows = b"".join(b"\0" + row.tobytes() for row in RGB)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 7, 5, 8, 2, 0, 0, 0))
    return SIGNATURE + header + chunk(b"IDAT", zlib.compress(rows + extra) + tail) + chunk(b"IEND")


@pytest.mark.parametrize("more", [1, 22, 300_000, 50_000_000])
def test_pixels_beyond_the_last_are_ignored(more: int) -> None:
    data = surplus(bytes(more))
    np.testing.assert_array_equal(opened(data).image, RGB)
    np.testing.assert_array_equal(np.asarray(Image.open(BytesIO(data))), RGB)


def test_bytes_behind_the_stream_are_ignored() -> None:
    np.testing.assert_array_equal(opened(surplus(b"", b"behind")).image, RGB)


def test_all_that_is_kept_is_written_and_read_again() -> None:
    found = opened(with_chunks(*(part for name, part in KEPT.items() if name != "eXIf")))
    kinds = (b"cICP", b"sRGB", b"gAMA", b"cHRM")
    colour = tuple((kind, content(KEPT[kind.decode()])) for kind in kinds)
    assert found.metadata == Metadata(colour, Density(11811, 5906, metric=True))
    data = encode_png(found.image, icc=found.icc, metadata=found.metadata)
    same(opened(data), found)
    info = Image.open(BytesIO(data)).info
    assert info["gamma"] == 0.45455
    assert info["srgb"] == 0
    assert info["dpi"] == pytest.approx((300, 150), abs=0.02)
    assert info["chromaticity"][:2] == (0.3127, 0.329)
    assert info["icc_profile"] == ICC


def test_a_pixel_turned_by_a_quarter_is_as_wide_as_it_was_high() -> None:
    assert opened(with_chunks(SIZE, TURNED)).metadata.density == Density(5906, 11811, metric=True)
    upside_down = chunk(b"eXIf", exif(3).removeprefix(b"Exif\0\0"))
    assert opened(with_chunks(SIZE, upside_down)).metadata.density == Density(11811, 5906, metric=True)


@pytest.mark.parametrize(
    ("parts", "gamma"),
    [
        ([GAMMA], 0.45455),
        ([GAMMA, PRIMARIES], 0.45455),
        ([GAMMA, SRGB], None),
        ([GAMMA, CICP], None),
        ([GAMMA, PROFILE], None),
        ([GAMMA, wrong_checksum(SRGB)], 0.45455),
        ([GAMMA, wrong_checksum(PROFILE)], 0.45455),
        ([GAMMA, chunk(b"iCCP", b"name\0\0junk")], 0.45455),
        ([GAMMA, chunk(b"iCCP", b"name\0\0" + zlib.compress(profile(b"GRAY")))], 0.45455),
        ([], None),
    ],
)
def test_gamma_counts_where_nothing_outranks_it(parts: list[bytes], gamma: float | None) -> None:
    assert inspect(with_chunks(*parts), LIMITS).gamma == gamma


def test_16_bits_and_palettes_keep_them_too() -> None:
    deep: NDArray[Any] = image_of(3, 4, 1, np.uint16)
    for data in (
        png(deep, 16, 0, before=[GAMMA, SIZE]),
        png(deep[:, :, :1] % 2, 1, 3, before=[GAMMA, SIZE, chunk(b"PLTE", bytes(6))]),
    ):
        found = opened(data)
        assert found.metadata == Metadata(((b"gAMA", content(GAMMA)),), Density(11811, 5906, metric=True))
