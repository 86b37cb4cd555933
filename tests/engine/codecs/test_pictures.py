from __future__ import annotations

import os
import struct
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps

from service.engine.codecs import Decoded, ImageInfo, decode, inspect, own_process
from service.engine.codecs.metadata import Density
from service.engine.errors import ImageTooLarge, InvalidImage, MemoryLimit
from service.engine.machine.limits import Limits
from tests.engine.codecs.handwritten import BGRA, bitmap, exif_block, gif_on_a_screen
from tests.engine.codecs.samples import chunk, exif, image_of, one_of_each, png, profile, saved

LIMITS = Limits()
RGB = image_of(24, 40, 3)
GRAY = RGB[:, :, 0]
RGBA = np.dstack([RGB, GRAY.T.repeat(2, 1)[:24, :40]])


def opened(data: bytes) -> tuple[ImageInfo, Decoded]:
    info = inspect(data, LIMITS)
    decoded = decode(data, info)
    assert decoded.image.shape == (info.height, info.width, info.channels)
    assert decoded.image.dtype == info.dtype
    assert decoded.image.dtype.isnative
    assert decoded.image.flags.c_contiguous
    assert info.alpha == (info.channels in {2, 4} and info.format != "npy")
    return info, decoded


def read(data: bytes) -> NDArray[Any]:
    return opened(data)[1].image


def pillows(data: bytes, mode: str) -> NDArray[Any]:
    array = np.asarray(ImageOps.exif_transpose(Image.open(BytesIO(data))).convert(mode))
    return array.reshape(*array.shape[:2], -1)


@pytest.mark.parametrize("name", one_of_each())
def test_header_and_pixels_agree(name: str) -> None:
    data = one_of_each()[name]
    info, decoded = opened(data)
    assert sorted(decoded.image.shape[:2]) == [9, 11]
    for kind in (bytearray, memoryview):
        assert inspect(kind(data), LIMITS) == info
        np.testing.assert_array_equal(decode(kind(data), info).image, decoded.image)


@pytest.mark.parametrize(
    ("form", "mode", "result"),
    [
        ("JPEG", "L", "L"),
        ("JPEG", "RGB", "RGB"),
        ("JPEG", "CMYK", "RGB"),
        ("BMP", "1", "L"),
        ("BMP", "L", "L"),
        ("BMP", "P", "RGB"),
        ("BMP", "RGB", "RGB"),
        ("BMP", "RGBA", "RGB"),
        ("GIF", "1", "L"),
        ("GIF", "L", "RGB"),
        ("GIF", "P", "RGB"),
        ("WEBP", "RGB", "RGB"),
        ("WEBP", "RGBA", "RGBA"),
        ("AVIF", "RGB", "RGB"),
        ("AVIF", "RGBA", "RGBA"),
        ("TIFF", "1", "L"),
        ("TIFF", "L", "L"),
        ("TIFF", "LA", "LA"),
        ("TIFF", "P", "RGB"),
        ("TIFF", "PA", "RGBA"),
        ("TIFF", "RGB", "RGB"),
        ("TIFF", "RGBX", "RGB"),
        ("TIFF", "RGBA", "RGBA"),
        ("TIFF", "CMYK", "RGB"),
        ("TIFF", "YCbCr", "RGB"),
        ("TIFF", "LAB", "RGB"),
    ],
)
def test_every_model_becomes_gray_or_rgb_with_alpha_where_it_has_one(form: str, mode: str, result: str) -> None:
    picture = Image.fromarray(RGBA)
    if mode == "LAB":
        srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
        picture = ImageCms.profileToProfile(picture.convert("RGB"), srgb, lab, outputMode="LAB")  # type: ignore[assignment]
    elif mode == "PA":
        picture = picture.convert("RGB").quantize(8).convert("PA")
    elif mode in {"CMYK", "YCbCr", "RGBX"}:
        picture = picture.convert("RGB").convert(mode)
    else:
        picture = picture.convert(mode)
    data = saved(picture, form)
    np.testing.assert_array_equal(read(data), pillows(data, result))


@pytest.mark.parametrize("transparent", [0, 3])
@pytest.mark.parametrize("mode", ["P", "L"])
def test_the_transparent_colour_of_a_gif_becomes_alpha(mode: str, transparent: int) -> None:
    picture = Image.fromarray(RGB).quantize(8) if mode == "P" else Image.fromarray(GRAY // 32)
    data = saved(picture, "GIF", transparency=transparent)
    image = read(data)
    clear = np.asarray(picture) == transparent
    assert image.shape[2] in {2, 4}
    np.testing.assert_array_equal(image[:, :, -1] == 0, clear)


def test_an_inverted_cmyk_jpeg_comes_out_right() -> None:
    ink = np.zeros((16, 16, 4), np.uint8)
    ink[:, :, 0] = 255  # cyan alone
    data = saved(Image.frombytes("CMYK", (16, 16), ink.tobytes()), "JPEG", quality=95)
    assert b"Adobe" in data  # Pillow stores the inks inverted, as Photoshop does
    assert np.abs(read(data).astype(int) - [0, 255, 255]).max() <= 3


def test_a_ycck_jpeg_comes_out_right() -> None:
    """Write planes as CMYK and mark them as YCCK, in which the inks of C, M and Y stand in the places of R, G and B."""
    planes = np.empty((16, 16, 4), np.uint8)
    planes[...] = 179, 171, 1, 255  # inks 0, 255, 255: red; black is stored inverted
    data = bytearray(saved(Image.frombytes("CMYK", (16, 16), (255 - planes).tobytes()), "JPEG", quality=95))
    transform = data.index(b"Adobe") + 11
    assert data[transform] == 0
    data[transform] = 2
    assert np.abs(read(bytes(data)).astype(int) - [255, 0, 0]).max() <= 4


@pytest.mark.parametrize("upwards", [False, True])
@pytest.mark.parametrize("masks", [BGRA, (0xFF, 0xFF00, 0xFF0000, 0xFF000000), (0xFF000000, 0xFF0000, 0xFF00, 0xFF)])
def test_the_alpha_of_a_bmp_is_read_where_its_header_has_a_mask_for_it(masks: tuple[int, ...], upwards: bool) -> None:
    shifts = [(mask & -mask).bit_length() - 1 for mask in masks]
    words = np.bitwise_or.reduce([RGBA[:, :, i].astype(np.uint32) << shift for i, shift in enumerate(shifts)])
    np.testing.assert_array_equal(read(bitmap(words, masks, upwards=upwards)), RGBA)


@pytest.mark.parametrize("masks", [BGRA, (0, 0, 0, 0)])
def test_a_bmp_whose_alpha_is_0_everywhere_has_none(masks: tuple[int, ...]) -> None:
    words = RGB[:, :, 2] | RGB[:, :, 1].astype(np.uint32) << 8 | RGB[:, :, 0].astype(np.uint32) << 16
    np.testing.assert_array_equal(read(bitmap(words, masks)), RGB)
    words[3, 5] |= 1 << 24
    image = read(bitmap(words, masks))
    assert image.shape[2] == 4
    assert np.argwhere(image[:, :, 3]).tolist() == [[3, 5]]


@pytest.mark.parametrize("clear", [False, True])
def test_one_bit_of_alpha_in_a_bmp_of_16_bits_counts_too(clear: bool) -> None:
    words = np.arange(15, dtype=np.uint16).reshape(3, 5) * 2048
    alpha = np.zeros_like(words) if clear else words >> 14 & 1
    image = read(bitmap(words & 0x7FFF | alpha << 15, (0x7C00, 0x3E0, 0x1F, 0x8000)))
    np.testing.assert_array_equal(image[:, :, 0], (words >> 10 & 31) * 255 // 31)
    if clear:
        assert image.shape[2] == 3
    else:
        np.testing.assert_array_equal(image[:, :, 3], 255 * alpha)


@pytest.mark.parametrize(
    ("left", "top", "width", "height"), [(0, 0, 50, 24), (0, 0, 40, 30), (3, 4, 43, 28), (5, 6, 60, 50)]
)
def test_what_the_first_frame_of_a_gif_leaves_open_is_clear(left: int, top: int, width: int, height: int) -> None:
    data = gif_on_a_screen(RGB, width, height, left, top)
    image = read(data)
    assert image.shape == (height, width, 4)
    expected = np.zeros_like(image)
    expected[top : top + 24, left : left + 40, :3] = read(gif_on_a_screen(RGB, 40, 24, 0, 0))
    expected[top : top + 24, left : left + 40, 3] = 255
    np.testing.assert_array_equal(image, expected)


def test_a_gif_frame_that_covers_its_screen_leaves_nothing_open() -> None:
    assert read(gif_on_a_screen(RGB, 40, 24, 0, 0)).shape == (24, 40, 3)
    assert read(gif_on_a_screen(RGB, 3, 3, 0, 0)).shape == (24, 40, 3)  # which reaches beyond it, too
    levels = np.arange(256, dtype=np.uint8).reshape(8, 32)
    gray = read(gif_on_a_screen(levels, 40, 10, 1, 1))
    assert gray.shape == (10, 40, 2)
    np.testing.assert_array_equal(gray[1:9, 1:33, 0], levels)
    assert int(gray[:, :, 1].astype(int).sum()) == 255 * levels.size


def test_a_clear_colour_and_an_open_screen_go_together() -> None:
    plain = read(gif_on_a_screen(RGB, 40, 24, 0, 0, transparency=3))
    image = read(gif_on_a_screen(RGB, 44, 30, 2, 3, transparency=3))
    np.testing.assert_array_equal(image[3:27, 2:42, 3], plain[:, :, 3])
    assert not image[:3].any()


def webp_chunk(kind: bytes, content: bytes) -> bytes:
    return kind + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)


@pytest.mark.parametrize("flags", [0x02, 0x12])
def test_what_the_first_frame_of_a_webp_leaves_open_is_clear(flags: int) -> None:
    """Whether the file says that it has alpha or not (RFC 9649, 2.7)."""

    def three(*numbers: int) -> bytes:
        return b"".join(number.to_bytes(3, "little") for number in numbers)

    frame = saved(RGB, "WEBP", lossless=True)[12:]
    parts = webp_chunk(b"VP8X", bytes([flags, 0, 0, 0]) + three(49, 29))
    parts += webp_chunk(b"ANIM", b"\xff\xff\xff\xff\0\0")
    parts += webp_chunk(b"ANMF", three(2, 1, 39, 23, 100) + b"\0" + frame)
    image = read(b"RIFF" + struct.pack("<I", 4 + len(parts)) + b"WEBP" + parts)
    expected = np.zeros((30, 50, 4), np.uint8)
    expected[2:26, 4:44] = np.dstack([RGB, np.full_like(GRAY, 255)])
    np.testing.assert_array_equal(image, expected)


def test_a_gif_of_all_levels_of_gray_is_gray() -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(8, 32)
    np.testing.assert_array_equal(read(saved(levels, "GIF")), levels[:, :, None])


@pytest.mark.parametrize(("order", "white_is_zero"), [("<", False), ("<", True), (">", False)])
def test_16_bit_gray_tiff_stays_whole(order: Literal["<", ">"], white_is_zero: bool) -> None:
    image = image_of(5, 7, 1, np.uint16)
    data = tiff(image, order, 16, photometric=0 if white_is_zero else 1)
    np.testing.assert_array_equal(read(data), 65535 - image if white_is_zero else image)


def tiff(
    image: NDArray[Any],
    order: Literal["<", ">"],
    bits: int,
    photometric: int,
    sample_format: int = 1,
    tile: int = 0,
) -> bytes:
    """Write a plain TIFF of one strip; with `tile` also the size of tiles that are not there."""
    height, width, samples = image.shape
    body = image.astype(image.dtype.newbyteorder(order)).tobytes()
    start = 8 + len(body)
    tags = {256: width, 257: height, 258: bits, 259: 1, 262: photometric, 273: 8, 277: samples, 278: height}
    tags |= {279: len(body), 339: sample_format} | ({322: tile, 323: tile} if tile else {})
    entries = [struct.pack(order + "HHII", tag, 4, 1, value) for tag, value in sorted(tags.items())]
    magic = b"II*\0" if order == "<" else b"MM\0*"
    directory = struct.pack(order + "H", len(entries)) + b"".join(entries) + bytes(4)
    return magic + struct.pack(order + "I", start) + body + directory


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (tiff(np.ones((2, 2, 1), np.uint16), "<", 12, 1), "TIFF of 12 bits"),
        (tiff(image_of(2, 2, 1), "<", 8, 1)[:-9], "damaged TIFF"),
        (tiff(image_of(2, 2, 7), "<", 8, 5), "8 bits in CMYK colours"),
    ],
)
def test_a_tiff_that_cannot_be_read_whole_is_refused_by_name(data: bytes, words: str) -> None:
    with pytest.raises(InvalidImage, match=words):
        read(data)


def test_libtiff_does_not_write_to_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    own_process()
    data = bytearray(saved(RGB, "TIFF", compression="tiff_adobe_deflate"))
    data[20:60] = bytes(40)
    with pytest.raises(InvalidImage):
        read(bytes(data))
    assert capfd.readouterr() == ("", "")


def test_an_avif_of_10_bits_is_refused_by_name() -> None:
    data = bytearray(saved(RGB, "AVIF"))
    data[data.index(b"av1C\x81") + 6] |= 0x40
    with pytest.raises(InvalidImage, match="10 bits"):
        read(bytes(data))


def test_a_jpeg_of_12_bits_is_refused_by_name() -> None:
    data = bytearray(saved(RGB, "JPEG"))
    data[data.index(b"\xff\xc0") + 4] = 12
    with pytest.raises(InvalidImage, match="12 bits"):
        read(bytes(data))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(("form", "options"), [("JPEG", {}), ("WEBP", {"lossless": True}), ("TIFF", {}), ("AVIF", {})])
def test_orientation_is_applied(form: str, options: dict[str, Any], orientation: int) -> None:
    data = saved(RGB, form, exif=exif(orientation), **options)
    info, decoded = opened(data)
    assert (info.width, info.height) == ((40, 24) if orientation < 5 else (24, 40))
    np.testing.assert_array_equal(decoded.image, pillows(data, "RGB"))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("kind", "form"), [(1, "B"), (3, "H"), (4, "I")])
@pytest.mark.parametrize("container", ["JPEG", "WEBP", "PNG"])
def test_orientation_counts_whatever_unsigned_type_it_is_stored_as(
    container: str, kind: int, form: str, order: str
) -> None:
    block = exif_block(order, (0x0112, kind, struct.pack(order + form, 6)))
    if container == "PNG":
        data = png(RGB, 8, 2, before=[chunk(b"eXIf", block.removeprefix(b"Exif\0\0"))])
    else:
        data = saved(RGB, container, exif=block, **({"lossless": True} if container == "WEBP" else {}))
    plain = saved(RGB, container, **({"lossless": True} if container == "WEBP" else {}))
    np.testing.assert_array_equal(read(data), read(plain).transpose(1, 0, 2)[:, ::-1])


INCHES = (0x011A, 5, struct.pack("<II", 600, 2)), (0x011B, 5, struct.pack("<II", 72, 1))
CENTIMETRES = (0x0128, 3, struct.pack("<H", 3))


@pytest.mark.parametrize(
    ("data", "density"),
    [
        (saved(RGB, "JPEG", dpi=(300, 72)), Density(11811, 2835, metric=True)),
        (saved(RGB, "JPEG", dpi=(300, 72), exif=exif(6)), Density(2835, 11811, metric=True)),
        (saved(RGB, "JPEG"), None),
        (saved(RGB, "JPEG", exif=exif_block("<", *INCHES)), Density(11811, 2835, metric=True)),
        (saved(RGB, "JPEG", exif=exif_block("<", *INCHES, CENTIMETRES)), Density(30000, 7200, metric=True)),
        (saved(RGB, "JPEG", exif=exif_block("<", INCHES[0])), None),
        (saved(RGB, "JPEG", exif=exif_block("<", INCHES[0], (0x011B, 5, bytes(8)))), None),
        (saved(RGB, "JPEG", dpi=(10, 10), exif=exif_block("<", *INCHES)), Density(394, 394, metric=True)),
        (saved(RGB, "WEBP", exif=exif_block("<", *INCHES)), Density(11811, 2835, metric=True)),
        (saved(RGB, "AVIF", exif=exif_block("<", *INCHES)), Density(11811, 2835, metric=True)),
        (saved(RGB, "TIFF", dpi=(300, 72)), Density(11811, 2835, metric=True)),
        (saved(RGB, "TIFF"), None),
        (saved(RGB, "BMP", dpi=(300, 72)), Density(11811, 2835, metric=True)),
        (bitmap(np.zeros((2, 2), np.uint32), BGRA, density=2835), Density(2835, 5670, metric=True)),
        (bitmap(np.zeros((2, 2), np.uint32), BGRA, density=-1), None),
        (saved(RGB, "GIF"), None),
    ],
)
def test_the_resolution_is_handed_on(data: bytes, density: Density | None) -> None:
    assert opened(data)[1].metadata.density == density


def test_a_ratio_of_pixels_is_handed_on_as_one() -> None:
    data = bytearray(saved(RGB, "JPEG", dpi=(4, 3)))
    unit = data.index(b"JFIF") + 7
    assert data[unit] == 1
    data[unit] = 0
    assert opened(bytes(data))[1].metadata.density == Density(4, 3, metric=False)


@pytest.mark.parametrize("form", ["GIF", "WEBP", "TIFF", "AVIF", "MPO"])
def test_of_several_pictures_the_first_is_read(form: str) -> None:
    others = [Image.fromarray(np.roll(RGB, 7 * i, 0)) for i in (1, 2)]
    options = {"lossless": True} if form == "WEBP" else {}
    data = saved(RGB, form, save_all=True, append_images=others, **options)
    info, decoded = opened(data)
    assert info.format == ("jpeg" if form == "MPO" else form.lower())
    np.testing.assert_array_equal(decoded.image, pillows(data, "RGB"))


@pytest.mark.parametrize("form", ["JPEG", "WEBP", "TIFF", "AVIF"])
def test_the_profile_is_handed_on(form: str) -> None:
    icc = profile(b"RGB ", 700)
    if form == "AVIF":  # libavif looks into profiles
        icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = saved(RGB, form, icc_profile=icc)
    assert opened(data)[1].icc == icc


def test_the_profile_of_another_model_is_left_out() -> None:
    for mode, space in (("CMYK", b"CMYK"), ("CMYK", b"RGB "), ("L", b"RGB "), ("RGB", b"GRAY")):
        data = saved(Image.fromarray(RGB).convert(mode), "JPEG", icc_profile=profile(space))
        assert opened(data)[1].icc is None
    gray = saved(GRAY, "JPEG", icc_profile=profile(b"GRAY"))
    assert opened(gray)[1].icc == profile(b"GRAY")


@pytest.mark.parametrize("name", one_of_each())
def test_too_many_pixels_are_refused_from_the_header(name: str) -> None:
    with pytest.raises(ImageTooLarge, match=r"99 pixels; at most 98"):
        inspect(one_of_each()[name], Limits(max_image_pixels=98))


def test_huge_sizes_are_refused_and_not_warned_about() -> None:
    webp = bytearray(saved(RGBA, "WEBP", lossless=True, exif=exif(1)))
    webp[24:30] = b"\xfe\x3f\0\xfe\x3f\0"
    bmp = bytearray(saved(RGB, "BMP"))
    bmp[18:26] = struct.pack("<ii", 30_000, 30_000)
    gif = bytearray(saved(GRAY, "GIF"))
    gif[6:10] = struct.pack("<HH", 65_535, 65_535)
    for data in (webp, bmp, gif, huge_tiff("<"), huge_tiff(">")):
        with pytest.raises(ImageTooLarge):
            inspect(data, LIMITS)


def huge_tiff(order: Literal["<", ">"]) -> bytes:
    """Say in the header of a TIFF of one sample that it is 30,000 wide and high."""
    data = tiff(image_of(1, 1, 1), order, 8, 1)
    for side in (256, 257):
        one, many = (struct.pack(order + "HHII", side, 4, 1, samples) for samples in (1, 30_000))
        assert data.count(one) == 1
        data = data.replace(one, many)
    return data


def test_huge_tiles_are_refused() -> None:
    with pytest.raises(ImageTooLarge, match="tiles"):
        inspect(tiff(image_of(2, 2, 1), "<", 8, 1, tile=50_000), LIMITS)


def test_too_many_strips_are_refused() -> None:
    data = tiff(image_of(2, 2, 1), "<", 8, 1)
    strips = struct.pack("<HHII", 273, 4, 1, 8)
    many = struct.pack("<HHII", 273, 4, 100_001, len(data))
    with pytest.raises(InvalidImage, match="100,001 strips"):
        inspect(data.replace(strips, many) + bytes(400_004), LIMITS)


def test_too_many_scans_are_refused() -> None:
    data = saved(RGB, "JPEG", progressive=True)
    scan = data[data.rindex(b"\xff\xda") : -2]
    few, many = (data[:-2] + scan * count + data[-2:] for count in (50, 100))
    assert read(few).shape == RGB.shape
    with pytest.raises(ImageTooLarge, match="more than 100 scans"):
        inspect(many, LIMITS)


@pytest.mark.parametrize("at_once", [1, 2, 3, 7, 64, 4096])
def test_scans_are_found_wherever_the_search_is_cut(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    data = saved(RGB, "JPEG", progressive=True)
    scans = data.count(b"\xff\xda")
    monkeypatch.setattr("service.engine.codecs.picture_headers._AT_ONCE", at_once)
    monkeypatch.setattr("service.engine.codecs.picture_headers.MAX_SCANS", scans)
    assert read(data).shape == RGB.shape
    monkeypatch.setattr("service.engine.codecs.picture_headers.MAX_SCANS", scans - 1)
    with pytest.raises(ImageTooLarge, match="scans"):
        inspect(data, LIMITS)


def test_long_runs_of_fill_bytes_are_refused_and_cost_nothing() -> None:
    data = saved(RGB, "JPEG")
    assert read(data[:2] + b"\xff" * 100 + data[2:]).shape == RGB.shape
    fill = b"\xff" * 3_000_000
    with pytest.raises(InvalidImage, match="more than 10,000"):
        inspect(data[:2] + fill + data[2:], LIMITS)
    with pytest.raises(ImageTooLarge, match="scans"):
        inspect(data[:-2] + fill + b"\0" + b"\xff\xda\0\2" * 200, LIMITS)


def test_scans_of_thumbnails_do_not_count() -> None:
    data = saved(RGB, "JPEG")
    thumbnails = b"\xff\xed\x01\x00" + (b"\xff\xda" * 127)
    assert read(data[:2] + thumbnails + data[2:]).shape == RGB.shape


def test_too_many_segments_and_blocks_are_refused() -> None:
    jpeg, gif = saved(RGB, "JPEG"), saved(GRAY, "GIF")
    start = 13 + (6 << (gif[10] & 7))
    for data in (
        jpeg[:2] + b"\xff\xfe\0\2" * 20_000 + jpeg[2:],
        gif[:start] + b"!\xfe\0" * 20_000 + gif[start:],
        gif[:start] + b"!\xfe" + b"\1a" * 20_000 + b"\0" + gif[start:],
    ):
        with pytest.raises(InvalidImage, match="more than 10,000"):
            inspect(data, LIMITS)


def test_too_many_frames_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    data = saved(RGB, "WEBP", save_all=True, append_images=[Image.fromarray(RGB[::-1])])
    monkeypatch.setattr("service.engine.codecs.picture_headers.MAX_FRAMES", 1)
    with pytest.raises(ImageTooLarge, match="2 frames; at most 1"):
        inspect(data, LIMITS)


def test_want_of_memory_is_called_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*_: Any) -> None:
        raise MemoryError

    files = {"jpeg": saved(RGB, "JPEG"), "png": png(RGB, 8, 2)}
    infos = {name: inspect(data, LIMITS) for name, data in files.items()}
    monkeypatch.setattr(Image.Image, "load", exhausted)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", exhausted)
    monkeypatch.setattr("numpy.empty", exhausted)
    for name, data in files.items():
        with pytest.raises(MemoryLimit):
            decode(data, infos[name])


MEASURE = """
import ctypes, sys
from service.engine.codecs import decode, decode_bytes, inspect
from service.engine.machine.limits import Limits

PR_SET_THP_DISABLE = 41
ctypes.CDLL(None).prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0)  # a huge page would count as a whole

def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))

for name in sys.argv[1:]:
    with open(name, "rb") as file:
        data = file.read()
    info = inspect(data, Limits())
    with open("/proc/self/clear_refs", "w") as control:
        control.write("5")
    before = peak()
    decode(data, info)
    print(peak() - before, decode_bytes(info))
"""


def deep_tiff(samples: NDArray[Any], **options: Any) -> bytes:
    file = BytesIO()
    tifffile.imwrite(file, samples, metadata=None, **options)
    return file.getvalue()


@pytest.mark.skipif(not os.access("/proc/self/clear_refs", os.W_OK), reason="the peak cannot be set back here")
def test_decoding_stays_within_its_bound(tmp_path: Path) -> None:
    image = np.tile(image_of(500, 500, 3), (4, 4, 1))
    cmyk = Image.fromarray(image).convert("CMYK")
    files = {
        "webp": saved(np.dstack([image, image[..., :1]]), "WEBP", lossless=True, quality=0, method=0, exif=exif(6)),
        "jpeg": saved(cmyk, "JPEG", progressive=True, subsampling=0, exif=exif(6)),
        "jpeg rgb": saved(image, "JPEG", progressive=True, subsampling=0, exif=exif(6)),
        "tiff": saved(cmyk, "TIFF", compression="tiff_lzw"),
        "png": saved(Image.fromarray(image).quantize(2), "PNG", bits=1, exif=exif(6)),
        "tiff 16": deep_tiff(image.astype(np.uint16), photometric="rgb", compression="zlib", tile=(512, 512)),
        "tiff floats": deep_tiff(image.transpose(2, 0, 1).astype(">f4"), photometric="rgb", planarconfig="separate"),
        "tiff integers": deep_tiff(image[:, :, 0].astype(np.int32), photometric="minisblack", compression="zlib"),
        "gif": gif_on_a_screen(image[:, :, 0], 2001, 2001, 1, 1),
        "bmp": bitmap(np.tile(np.arange(2000, dtype=np.uint32) << 20, (2000, 1)), BGRA),
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    paths = [str(tmp_path / name) for name in files]
    done = subprocess.run([sys.executable, "-c", MEASURE, *paths], capture_output=True, text=True, check=True)
    for name, line in zip(files, done.stdout.splitlines(), strict=True):
        needed, bound = map(int, line.split())
        assert needed <= bound, name
