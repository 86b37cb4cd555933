"""Write PNG: a filter chosen row by row, strips of rows deflated in parallel, one zlib stream.

Strip boundaries depend on the image alone, so any number of threads writes the same bytes.
"""

from __future__ import annotations

import struct
import sys
import zlib
from typing import Any, NamedTuple

import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray

from service.engine.codecs import deflate, png_ancillary, png_filters, png_search
from service.engine.codecs.base import Compression
from service.engine.codecs.metadata import Metadata
from service.engine.codecs.png_header import GRAY, GRAY_ALPHA, IMAGE_HEADER, RGB, RGBA, SIGNATURE
from service.engine.machine import compiled, parallel

STRIP_BYTES = 512 * 1024
"""Bytes of unfiltered rows: few matches are lost at the seams, and there are enough strips to share out evenly."""

_COLOUR = {1: GRAY, 2: GRAY_ALPHA, 3: RGB, 4: RGBA}
_LAST_BLOCK = b"\x03\x00"
"""An empty final deflate block: the strips before it end with an empty stored one, on a byte boundary."""
_ADLER_MODULUS = 65521


def encode(image: NDArray[Any], compression: Compression, icc: bytes | None, metadata: Metadata, threads: int) -> bytes:
    """Write an image (H, W, C) of uint8 or uint16 and 1 to 4 channels."""
    data = _encode(image, icc, metadata, threads)
    return png_search.smaller(data, image.nbytes) if compression == "small" else data


def _encode(image: NDArray[Any], icc: bytes | None, metadata: Metadata, threads: int) -> bytes:
    height, width, channels = image.shape
    deflated = _deflated(_rows(image), image.itemsize, channels, threads)
    header = IMAGE_HEADER.pack(width, height, 8 * image.itemsize, _COLOUR[channels], 0, 0, 0)
    pieces: deflate.Pieces = [SIGNATURE, *_chunk(b"IHDR", header)]
    if icc is not None:
        pieces += _chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(icc))
    for kind, content in png_ancillary.written(metadata):
        pieces += _chunk(kind, content)
    pieces.append(_BEGIN)
    adler = 1
    for strip in deflated:
        pieces += strip.chunk
        adler = _joined_adler(adler, strip.adler, strip.length)
    pieces += _chunk(b"IDAT", _LAST_BLOCK, struct.pack(">I", adler))
    pieces.append(_END)
    return b"".join(pieces)


class _Deflated(NamedTuple):
    """One strip: its IDAT chunk, and the checksum and length of its inflated bytes."""

    chunk: deflate.Pieces
    adler: int
    length: int


def _rows(image: NDArray[Any]) -> NDArray[np.uint8]:
    """View the image as read-only rows of bytes: numba would compile the loops again for any other array type."""
    rows: NDArray[np.uint8] = np.ascontiguousarray(image).view(np.uint8).reshape(len(image), -1)
    rows.flags.writeable = False
    return rows


def _deflated(rows: NDArray[np.uint8], sample: int, channels: int, threads: int) -> list[_Deflated]:
    """Filter and deflate strips in parallel; `sample` is the bytes per sample."""
    height, row_bytes = rows.shape
    rows_each = max(1, STRIP_BYTES // row_bytes)
    strips: dict[int, _Deflated] = {}
    swapped = sample == 2 and sys.byteorder == "little"
    filter_rows = getattr(compiled.loops("png"), "filter_rows", png_filters.filter_rows)

    def deflate_from(first: int) -> None:
        strip = np.empty((min(rows_each, height - first), 1 + row_bytes), np.uint8)
        filter_rows(rows, first, sample * channels, swapped, strip)
        filtered = strip.reshape(-1)
        chunk = _chunk(b"IDAT", *deflate.fast(filtered))
        strips[first] = _Deflated(chunk, isal_zlib.adler32(filtered), len(filtered))

    parallel.each(deflate_from, range(0, height, rows_each), threads)
    return [strips[first] for first in sorted(strips)]


def _chunk(kind: bytes, *content: bytes | memoryview) -> deflate.Pieces:
    """Frame a chunk, leaving its content in pieces."""
    checksum = isal_zlib.crc32(kind)
    for piece in content:
        checksum = isal_zlib.crc32(piece, checksum)
    return [struct.pack(">I4s", sum(map(len, content)), kind), *content, struct.pack(">I", checksum)]


_BEGIN = b"".join(_chunk(b"IDAT", b"\x78\x01"))
"""The header of the zlib stream."""
_END = b"".join(_chunk(b"IEND"))


def _joined_adler(adler: int, following: int, length: int) -> int:
    """Join the Adler-32 of some bytes with that of the `length` bytes that follow them (RFC 1950, 8.2).

    The low half is 1 + the sum of the bytes, the high half the sum of all low halves so far.
    """
    low, high = adler & 0xFFFF, adler >> 16
    next_low, next_high = following & 0xFFFF, following >> 16
    joined_low = (low + next_low - 1) % _ADLER_MODULUS
    joined_high = (high + next_high + (low - 1) * length) % _ADLER_MODULUS
    return joined_high << 16 | joined_low
