"""Detect the format from the first bytes; neither file names nor declared types count."""

from __future__ import annotations

from typing import NamedTuple

from service.engine.codecs.base import Buffer, Format
from service.engine.codecs.camera_raw import camera_raw
from service.engine.errors import InvalidImage, UnsupportedFormat


class Signature(NamedTuple):
    """`format` has `magic` at byte `offset`."""

    format: str
    magic: bytes
    offset: int = 0


READ: dict[Format, str] = {
    "png": "PNG",
    "jpeg": "JPEG",
    "webp": "WebP",
    "gif": "GIF",
    "bmp": "BMP",
    "tiff": "TIFF",
    "avif": "AVIF",
    "npy": "NPY",
}
"""The supported formats, with their names in messages."""

_SERVED: tuple[tuple[Format, bytes], ...] = (
    ("png", b"\x89PNG\r\n\x1a\n"),
    ("jpeg", b"\xff\xd8\xff"),
    ("gif", b"GIF87a"),
    ("gif", b"GIF89a"),
    ("tiff", b"II*\0"),
    ("tiff", b"MM\0*"),
    ("tiff", b"II+\0"),
    ("tiff", b"MM\0+"),
    ("npy", b"\x93NUMPY"),
)

_FOREIGN = (
    Signature("a PDF document", b"%PDF-"),
    Signature("a Photoshop document", b"8BPS"),
    Signature("an ICO icon", b"\0\0\1\0"),
    Signature("a CUR cursor", b"\0\0\2\0"),
    Signature("a JPEG 2000 picture", b"\0\0\0\x0cjP  "),
    Signature("a JPEG 2000 codestream", b"\xff\x4f\xff\x51"),
    Signature("a JPEG XL picture", b"\xff\x0a"),
    Signature("a JPEG XL picture", b"\0\0\0\x0cJXL "),
    Signature("a ZIP archive (an NPZ file, perhaps)", b"PK\x03\x04"),
    Signature("gzip data", b"\x1f\x8b"),
    Signature("an HDF5 file", b"\x89HDF"),
    Signature("a JNG or MNG picture", b"\x8bJNG"),
    Signature("a JNG or MNG picture", b"\x8aMNG"),
    Signature("an OpenEXR picture", b"v/1\1"),
    Signature("a Radiance HDR picture", b"#?RADIANCE"),
    Signature("a DirectDraw surface", b"DDS "),
    Signature("a QOI picture", b"qoif"),
    Signature("a FLIF picture", b"FLIF"),
    Signature("a PostScript document", b"%!PS"),
    Signature("a DjVu document", b"AT&TFORM"),
    Signature("a camera's raw file (ORF)", b"IIRO"),
    Signature("a camera's raw file (ORF)", b"IIRS"),
    Signature("a camera's raw file (ORF)", b"MMOR"),
    Signature("a camera's raw file (RW2)", b"IIU\0"),
    Signature("a camera's raw file (RAF)", b"FUJIFILMCCD-RAW"),
    Signature("a camera's raw file (CRW)", b"HEAPCCDR", 6),
    Signature("a camera's raw file (MRW)", b"\0MRM"),
    Signature("a camera's raw file (X3F)", b"FOVb"),
    Signature("a WAV sound", b"WAVE", 8),
    Signature("an AVI video", b"AVI ", 8),
    Signature("a Matroska or WebM video", b"\x1aE\xdf\xa3"),
    *(Signature("a Netpbm picture", b"P%d" % kind) for kind in range(1, 8)),
)

_BRANDS = {
    b"heic": "a HEIC picture",
    b"heix": "a HEIC picture",
    b"heim": "a HEIC picture",
    b"heis": "a HEIC picture",
    b"hevc": "a HEIC sequence",
    b"hevx": "a HEIC sequence",
    b"mif1": "a HEIF picture",
    b"msf1": "a HEIF sequence",
    b"crx ": "a camera's raw file (CR3)",
    b"jxl ": "a JPEG XL picture",
}


def sniff(data: Buffer) -> Format:
    """Name the format. Raises `UnsupportedFormat`, or `InvalidImage` if there are no bytes at all."""
    start = bytes(data[:4096])
    if not start:
        raise InvalidImage("the image is empty: it has 0 bytes")
    for name, magic in _SERVED:
        if start.startswith(magic):
            if name == "tiff" and (raw := camera_raw(data)):
                raise UnsupportedFormat(
                    f"the content is a camera's raw file ({raw}), of which only a preview can be read, not the picture;"
                    f" read are {', '.join(READ.values())}"
                )
            return name
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return "webp"
    if start[4:8] == b"ftyp" and _is_avif(start):
        return "avif"
    if start[:2] == b"BM" and _is_bmp(start):
        return "bmp"
    raise UnsupportedFormat(f"the content is {_found(start)}; it must be one of {', '.join(READ.values())}")


def _is_avif(start: bytes) -> bool:
    """Look for the brand of AVIF or AVIF sequences among the major and compatible brands (AVIF 1.1, 6)."""
    brands = start[8 : int.from_bytes(start[:4], "big")]
    return any(brands[place : place + 4] in {b"avif", b"avis"} for place in (0, *range(8, len(brands), 4)))


def _is_bmp(start: bytes) -> bool:
    """Require a known size of the second header, so text that begins with BM is not taken for a BMP."""
    return int.from_bytes(start[14:18], "little") in {12, 16, 40, 52, 56, 64, 108, 124}


def _found(start: bytes) -> str:
    """Say what the bytes are instead, if known."""
    for name, magic, offset in _FOREIGN:
        if start[offset:].startswith(magic):
            return name
    if start[4:8] == b"ftyp":
        return _BRANDS.get(start[8:12], "a video, or another file of that family (ISO-BMFF)")
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if b"<svg" in text:
        return "an SVG drawing"
    if text.startswith((b"<!doctype html", b"<html")):
        return "an HTML page"
    return "of no format known here"
