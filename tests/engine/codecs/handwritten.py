"""Files written field by field, as the specifications have them: what no library here would write."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.engine.codecs.samples import saved

FILTER_ARRAY, LINEAR_RAW = 32803, 34892
"""Values of a TIFF's photometric interpretation."""


def plain_tiff(strip: bytes, tags: dict[int, int], order: str = "<") -> bytes:
    """Write a TIFF of one strip with tags that are one long each."""
    tags = {259: 1, 262: 1, 277: 1, 278: tags[257], **tags, 273: 8, 279: len(strip)}
    entries = b"".join(struct.pack(order + "HHII", tag, 4, 1, value) for tag, value in sorted(tags.items()))
    head = struct.pack(order + "2sHI", b"II" if order == "<" else b"MM", 42, 8 + len(strip))
    return head + strip + struct.pack(order + "H", len(tags)) + entries + bytes(4)


def camera_raw(
    order: str = "<",
    *,
    maker: bytes = b"",
    photometric: int = 2,
    dng: bool = False,
    sub: int | None = None,
    reduced: bool = False,
    signature: bytes = b"",
) -> bytes:
    """Write a TIFF whose first directory is an RGB preview of 8x6, with what cameras add to it."""
    entries = {256: (4, 1, 8), 257: (4, 1, 6), 258: (3, 1, 8), 259: (3, 1, 1), 262: (3, 1, photometric)}
    entries |= {273: (4, 1, 16), 277: (3, 1, 3), 278: (4, 1, 6), 279: (4, 1, 144)}
    pixels, behind = signature.ljust(8, b"\0") + bytes(144), bytearray()
    start = 8 + len(pixels)
    size = 2 + 12 * (len(entries) + bool(maker) + dng + (sub is not None) + reduced) + 4

    def place(content: bytes) -> int:
        behind.extend(content)
        return start + size + len(behind) - len(content)

    if maker:
        entries[271] = (2, len(maker) + 1, place(maker + b"\0"))
    if dng:
        entries[50706] = (1, 4, 0x0104)
    if reduced:
        entries[254] = (4, 1, 1)
    if sub is not None:
        inner = struct.pack(order + "HHHII", 1, 262, 4, 1, sub) + bytes(4)
        entries[330] = (4, 1, place(inner))

    def value(kind: int, count: int, number: int) -> bytes:
        return struct.pack(order + ("H2x" if (kind, count) == (3, 1) else "I"), number)

    rows = b"".join(
        struct.pack(order + "HHI", tag, *entries[tag][:2]) + value(*entries[tag]) for tag in sorted(entries)
    )
    head = struct.pack(order + "2sHI", b"II" if order == "<" else b"MM", 42, start)
    return head + pixels + struct.pack(order + "H", len(entries)) + rows + bytes(4) + bytes(behind)


def exif_block(order: str, *entries: tuple[int, int, bytes]) -> bytes:
    """Write entries of one value each: tag, type, value; what is longer than four bytes goes behind."""
    behind, rows = b"", b""
    for tag, kind, value in entries:
        place = struct.pack(order + "I", 8 + 2 + 12 * len(entries) + 4 + len(behind))
        rows += struct.pack(order + "HHI", tag, kind, 1) + (place if len(value) > 4 else value.ljust(4, b"\0"))
        behind += value if len(value) > 4 else b""
    magic = b"II*\0" if order == "<" else b"MM\0*"
    return b"Exif\0\0" + magic + struct.pack(order + "IH", 8, len(entries)) + rows + bytes(4) + behind


def bitmap(pixels: NDArray[Any], masks: tuple[int, ...], *, upwards: bool = False, density: int = 0) -> bytes:
    """Write words of 16 or 32 bits as a BMP of version 4 with masks for red, green, blue and alpha."""
    height, width = pixels.shape
    bits = 8 * pixels.itemsize
    rows = np.pad(pixels, ((0, 0), (0, -width % (4 // pixels.itemsize))))
    body = (rows[::-1] if upwards else rows).tobytes()
    signed = height if upwards else -height
    header = struct.pack("<IiiHHIIiiII", 108, width, signed, 1, bits, 3, len(body), density, 2 * density, 0, 0)
    header += struct.pack("<IIII", *masks) + bytes(52)
    return struct.pack("<2sIII", b"BM", 14 + len(header) + len(body), 0, 14 + len(header)) + header + body


BGRA = (0xFF0000, 0xFF00, 0xFF, 0xFF000000)


def gif_on_a_screen(frame: NDArray[Any], width: int, height: int, left: int, top: int, **options: Any) -> bytes:
    """Move the frame of a GIF that Pillow writes to a place on a larger screen (GIF89a, sections 18 and 20)."""
    data = bytearray(saved(Image.fromarray(frame).quantize(8) if frame.ndim == 3 else frame, "GIF", **options))
    data[6:10] = struct.pack("<HH", width, height)
    place = data.index(b",", 13 + (3 << ((data[10] & 7) + 1)))
    data[place + 1 : place + 5] = struct.pack("<HH", left, top)
    return bytes(data)
