"""Files as other programs write them, good and bad, of the kinds that public reports are about."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from io import BytesIO
from itertools import chain
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from tests.engine.codecs.handwritten import (
    BGRA,
    FILTER_ARRAY,
    bitmap,
    camera_raw,
    exif_block,
    gif_on_a_screen,
    plain_tiff,
)
from tests.engine.codecs.samples import chunk, exif, image_of, png, saved
from tests.hostile.case import (
    IMAGE_TOO_LARGE,
    INVALID_IMAGE,
    MEMORY_LIMIT,
    OK,
    TOO_MANY_CHANNELS,
    UNSUPPORTED_FORMAT,
    File,
    Verdict,
)

_ANCILLARY = (
    b"gAMA",
    b"cHRM",
    b"sRGB",
    b"cICP",
    b"pHYs",
    b"iCCP",
    b"eXIf",
    b"tRNS",
    b"bKGD",
    b"sBIT",
    b"tIME",
    b"acTL",
)
_SIDES = {256: 48, 257: 40}
_DEEP = _SIDES | {258: 16, 262: 2, 277: 3}
_BYTES = 48 * 40 * 3 * 2


def tiff(samples: NDArray[Any], **options: Any) -> bytes:
    """Let tifffile write a file; the same bytes each time."""
    file = BytesIO()
    tifffile.imwrite(file, samples, metadata=None, software=False, **options)
    return file.getvalue()


def strangers(sound: Mapping[str, bytes]) -> Iterator[File]:
    """List them all; `sound` are the files that others are told to be like."""
    return chain(_chunks(), _orientations(sound), _frames(), _raw_files(), _tiffs(), _tiff_bombs(), _headers())


def _file(name: str, data: bytes, *expected: Verdict, like: str | None = None) -> File:
    return File(name, data, frozenset(expected), like)


def _chunks() -> Iterator[File]:
    """PNGs with ancillary chunks that lie, stand wrong, or come by the thousand."""
    rgb = image_of(40, 48, 3)
    for kind in (
        b"gAMA",
        b"cHRM",
        b"sRGB",
        b"cICP",
        b"pHYs",
        b"iCCP",
        b"eXIf",
        b"tRNS",
        b"bKGD",
        b"sBIT",
        b"tIME",
        b"acTL",
    ):
        for name, content in (
            ("empty", b""),
            ("of-zeros", bytes(9)),
            ("of-ones", b"\xff" * 32),
            ("long", bytes(70_000)),
        ):
            label = f"strangers/png-{kind.decode()}-{name}"
            yield _file(label, png(rgb, 8, 2, before=[chunk(kind, content)]), OK)
        many = chunk(kind, b"\0\0\xb1\x8f") * 20_000
        yield _file(f"strangers/png-20000-{kind.decode()}", png(rgb, 8, 2, before=[many]), OK)
        after = png(rgb, 8, 2, after=[chunk(kind, b"\0\0\xb1\x8f")])
        yield _file(f"strangers/png-{kind.decode()}-behind-the-pixels", after, OK)
    for colours in (16, 17, 64, 256, 1000):
        palette = [chunk(b"PLTE", bytes(3 * colours)), chunk(b"tRNS", bytes(2 * colours))]
        yield _file(f"strangers/png-{colours}-colours-at-4-bits", png(rgb[:, :, :1] % 16, 4, 3, before=palette), OK)
    for gamma in (0, 1, 999, 1000, 10_000_000, 10_000_001, 2**32 - 1):
        part = chunk(b"gAMA", gamma.to_bytes(4, "big"))
        yield _file(f"strangers/png-gamma-{gamma}", png(rgb, 8, 2, before=[part]), OK)


def _orientations(sound: Mapping[str, bytes]) -> Iterator[File]:
    """EXIF whose orientation is of another type, or whose directory is endless."""
    rgb = image_of(40, 48, 3)
    for order in "<>":
        for kind, form in ((1, "B"), (3, "H"), (4, "I")):
            block = exif_block(order, (0x0112, kind, struct.pack(order + form, 6)))
            yield _file(f"strangers/jpeg-orientation-{kind}{order}", saved(rgb, "JPEG", exif=block), OK, like="jpeg")
    for length in (6, 10, 14, 18):
        part = chunk(b"eXIf", exif(6).removeprefix(b"Exif\0\0")[:length])
        yield _file(f"strangers/png-exif-of-{length}-bytes", png(rgb, 8, 2, before=[part]), OK)
    endless = b"II*\0\x08\0\0\0\xff\xff" + struct.pack("<HHII", 0x0110, 4, 1, 0) * 65_535
    yield _file("strangers/png-exif-of-65535-entries", png(rgb, 8, 2, before=[chunk(b"eXIf", endless)]), OK)


def _frames() -> Iterator[File]:
    rgb = image_of(40, 48, 3)
    for name, (width, height, left, top) in {
        "smaller-than-its-screen": (60, 50, 3, 4),
        "beyond-its-screen": (48, 40, 30, 30),
        "far-outside": (48, 40, 6000, 60),
    }.items():
        yield _file(f"strangers/gif-frame-{name}", gif_on_a_screen(rgb, width, height, left, top), OK)
    yield _file("strangers/gif-frame-at-65535", gif_on_a_screen(rgb, 48, 40, 65_535, 65_535), IMAGE_TOO_LARGE)
    for masks in (BGRA, (0, 0, 0, 0), (0xFF0000, 0xFF00, 0xFF, 0)):
        pixels = rgb[:, :, 0].astype(np.uint32)
        yield _file(f"strangers/bmp-masks-{masks[0]}-{masks[3]}", bitmap(pixels, masks), OK)
        yield _file(f"strangers/bmp-masks-{masks[0]}-{masks[3]}-cut", bitmap(pixels, masks)[:-9], INVALID_IMAGE)
    odd = bitmap(rgb[:, :, 0].astype(np.uint32), (0x3FF00000, 0xFFC00, 0x3FF, 0xC0000000))
    yield _file("strangers/bmp-of-10-bits", odd, INVALID_IMAGE)


def _raw_files() -> Iterator[File]:
    """Cameras' raw files, which have a preview that could be taken for the picture."""
    fields: dict[str, dict[str, Any]] = {
        "dng": {"dng": True},
        "nef": {"sub": FILTER_ARRAY, "maker": b"NIKON CORPORATION", "reduced": True},
        "arw": {"sub": FILTER_ARRAY, "maker": b"SONY"},
        "pef": {"photometric": FILTER_ARRAY, "maker": b"PENTAX"},
        "cr2": {"signature": b"CR\2\0"},
    }
    for order in "<>":
        for name, said in fields.items():
            yield _file(f"strangers/raw-{name}{order}", camera_raw(order, **said), UNSUPPORTED_FORMAT)
        yield _file(f"strangers/tiff-preview{order}", camera_raw(order, reduced=True), INVALID_IMAGE)
    itself = camera_raw(sub=FILTER_ARRAY, maker=b"SONY")
    place = itself.index(struct.pack("<HHI", 330, 4, 1)) + 8
    for offset in (0, 8, 160, len(itself) - 1, 2**32 - 1):
        looped = itself[:place] + struct.pack("<I", offset) + itself[place + 4 :]
        yield _file(f"strangers/tiff-sub-directory-at-{offset}", looped, OK, INVALID_IMAGE, UNSUPPORTED_FORMAT)


def _tiffs() -> Iterator[File]:
    """Deep, signed, floating-point, planar and many-channelled TIFFs."""
    for dtype in ("u1", "u2", "u4", "i1", "i2", "i4", "f2", "f4", "f8"):
        for order in "<>":
            samples = image_of(40, 48, 3).astype(dtype)
            for planar in ("contig", "separate"):
                stored = samples if planar == "contig" else samples.transpose(2, 0, 1)
                for compression in (None, "zlib"):
                    data = tiff(
                        stored, photometric="rgb", planarconfig=planar, compression=compression, byteorder=order
                    )
                    yield _file(f"strangers/tiff-{dtype}{order}-{planar}-{compression}", data, OK)
    yield _file(
        "strangers/tiff-of-64-bits",
        tiff(image_of(9, 9, 1)[:, :, 0].astype("u8"), photometric="minisblack"),
        INVALID_IMAGE,
    )
    yield _file("strangers/tiff-complex", tiff(np.ones((9, 9), "c8"), photometric="minisblack"), INVALID_IMAGE)
    for name, number in (("nan", np.nan), ("infinity", np.inf)):
        samples = np.full((9, 9), number, np.float32)
        yield _file(f"strangers/tiff-{name}", tiff(samples, photometric="minisblack"), INVALID_IMAGE)


def _tiff_bombs() -> Iterator[File]:
    pixels = image_of(40, 48, 3, np.uint16).tobytes()
    deflated = zlib.compress(bytes(1 << 28), 9)
    yield _file("strangers/tiff-deep-strip-of-256-megabytes", plain_tiff(deflated, _DEEP | {259: 8}), OK)
    yield _file("strangers/tiff-deep-packbits-bomb", plain_tiff(b"\x81\0" * 4_000_000, _DEEP | {259: 32773}), OK)
    yield _file(
        "strangers/tiff-deep-packbits-of-nothing", plain_tiff(b"\x80" * 8_000_000, _DEEP | {259: 32773}), INVALID_IMAGE
    )
    yield _file("strangers/tiff-deep", plain_tiff(pixels, _DEEP), OK)
    for name, tags, expected in (
        ("too-high", {257: 41}, INVALID_IMAGE),
        ("of-65535x65535", {256: 65_535, 257: 65_535}, IMAGE_TOO_LARGE),
        ("of-the-largest-sides", {256: 2**32 - 1, 257: 2**32 - 1}, IMAGE_TOO_LARGE),
        ("of-no-channels", {277: 0}, INVALID_IMAGE),
        ("of-65535-channels", {277: 65_535}, TOO_MANY_CHANNELS),
        ("of-1024-channels", {277: 1024}, INVALID_IMAGE),
        ("of-no-bits", {258: 0}, INVALID_IMAGE),
        ("of-65535-bits", {258: 65_535}, INVALID_IMAGE),
        ("of-strips-of-no-rows", {278: 0}, INVALID_IMAGE),
        ("of-a-strip-of-endless-rows", {278: 2**32 - 1}, OK),
        ("in-an-unknown-method", {259: 65_535}, INVALID_IMAGE),
        ("with-an-unknown-predictor", {317: 65_535}, INVALID_IMAGE),
        ("with-turned-bits", {266: 2}, INVALID_IMAGE),
        ("of-an-unknown-format", {339: 9}, INVALID_IMAGE),
        ("in-unknown-planes", {284: 9}, INVALID_IMAGE),
        ("in-three-planes-of-one-strip", {284: 2}, INVALID_IMAGE),
        ("of-the-last-orientation", {274: 65_535}, OK),
    ):
        yield _file(f"strangers/tiff-deep-{name}", plain_tiff(pixels, _DEEP | tags), expected)
    for field in (273, 279):
        data = plain_tiff(pixels, _DEEP)
        place = data.index(struct.pack("<HHI", field, 4, 1))
        for number, value in ((1, 2**32 - 1), (200_000, 8), (2**32 - 1, 8), (0, 8)):
            lying = data[: place + 4] + struct.pack("<II", number, value) + data[place + 12 :]
            ok = (OK,) if field == 279 and number < 2 else ()
            yield _file(f"strangers/tiff-tag-{field}-of-{number}-at-{value}", lying, INVALID_IMAGE, *ok)
    wide = tiff(np.zeros((1, 5000), np.float64), photometric="minisblack", tile=(16, 16), compression="zlib")
    yield _file("strangers/tiff-tiles-of-one-row", wide, OK)
    place = wide.index(struct.pack("<H", 323), wide.index(struct.pack("<H", 322)))
    high = wide[: place + 8] + struct.pack("<H", 65_520) + wide[place + 10 :]
    yield _file("strangers/tiff-tiles-far-higher-than-the-picture", high, IMAGE_TOO_LARGE, INVALID_IMAGE)
    everywhere = tiff(np.zeros((400, 400), np.uint32), photometric="minisblack", rowsperstrip=1, compression="zlib")
    yield _file("strangers/tiff-400-strips", everywhere, OK)
    many = plain_tiff(zlib.compress(bytes(8_000_000 * 4), 1), {256: 8_000_000, 257: 1, 258: 32, 259: 8, 339: 3})
    yield _file("strangers/tiff-floats-in-a-long-row", many, OK, MEMORY_LIMIT)


def _headers() -> Iterator[File]:
    """NPY as other languages write it."""
    body = bytes(range(12))
    for name, header, expected in (
        ("from-python-2", "{'descr': '<u1', 'fortran_order': False, 'shape': (3L, 4L), }", OK),
        ("native-order", "{'descr': '=u1', 'fortran_order': True, 'shape': (3, 4)}", OK),
        ("without-order", '{"descr": "u1", "fortran_order": False, "shape": (3,4)}', OK),
        ("by-its-word", "{'descr': 'uint8', 'fortran_order': False, 'shape': (3, 4)}", OK),
        ("structured-by-a-comma", "{'descr': 'u1,u1', 'fortran_order': False, 'shape': (3, 2)}", INVALID_IMAGE),
        ("sub-array", "{'descr': '(2,)u1', 'fortran_order': False, 'shape': (3, 2)}", INVALID_IMAGE),
        ("long-with-another-letter", "{'descr': 'u1', 'fortran_order': False, 'shape': (3M, 4)}", INVALID_IMAGE),
        ("many-longs", "{'descr': 'u1', 'fortran_order': False, 'shape': (" + "3L," * 300 + ")}", INVALID_IMAGE),
    ):
        text = header.encode() + b"\n"
        data = b"\x93NUMPY\1\0" + len(text).to_bytes(2, "little") + text + body
        yield _file(f"strangers/npy-{name}", data, expected)
