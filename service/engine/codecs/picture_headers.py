"""Checks on a picture before Pillow sees it: opening it must be cheap and must lose nothing."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from contextlib import suppress

import numpy as np

from service.engine.codecs.base import check_pixels
from service.engine.errors import ImageTooLarge, InvalidImage
from service.engine.machine.limits import Limits

MAX_SCANS = 100
"""Scans of a JPEG: each scan of a progressive JPEG covers the whole picture."""
MAX_FRAMES = 10_000
MAX_PARTS = 10_000
"""Segments of a JPEG and bytes between them, blocks of a GIF, chunks of a WebP: each is read in Python."""

Frame = tuple[int, int, int, int]
"""Position of a frame on its canvas: left, top, right, bottom."""

_END_OF_IMAGE, _START_OF_SCAN = 0xD9, 0xDA
_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_AT_ONCE = 256 * 1024
"""Bytes searched at once: the arrays made from them stay in the cache."""
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
"""Stuffed zeros and restart markers belong to a scan. Trap: matching a run of FF here takes quadratic time."""


def check_jpeg(data: bytes) -> None:
    """Refuse more than 8 bits (T.81 has 12 and more) and too many scans or segments."""
    uncertain = _scans_at_most(data) > MAX_SCANS
    scans = parts = 0
    for marker, content, gap in _segments(data):
        parts += 1 if scans else 1 + gap
        if parts > MAX_PARTS:
            raise InvalidImage(f"the JPEG has more than {MAX_PARTS:,} segments and bytes between them")
        if marker in _START_OF_FRAME and data[content : content + 1] not in {b"\x08", b""}:
            raise InvalidImage(f"the JPEG has {data[content]} bits per sample; only 8 bits can be read without loss")
        if marker == _START_OF_SCAN:
            scans += 1
            if not uncertain:
                return
        if scans > MAX_SCANS:
            raise ImageTooLarge(f"the JPEG has more than {MAX_SCANS} scans; at most {MAX_SCANS} are read")
        if marker == _END_OF_IMAGE:
            return


def _scans_at_most(data: bytes) -> int:
    """Count the bytes that look like scan markers, some by chance; `bytes.count` takes five times as long."""
    octets = np.frombuffer(data, np.uint8)
    pieces = (octets[start : start + _AT_ONCE + 1] for start in range(0, len(octets), _AT_ONCE))
    return sum(int(np.count_nonzero((piece[:-1] == 0xFF) & (piece[1:] == _START_OF_SCAN))) for piece in pieces)


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """List the markers, each with the place of its content and the count of bytes skipped before it (T.81, annex B)."""
    position = 2
    while found := _NEXT_MARKER.search(data, position):
        content = found.end() + 2
        yield data[found.end() - 1], content, found.start() - position
        position = found.end() + int.from_bytes(data[found.end() : content], "big")


def check_webp(data: bytes, limits: Limits) -> Frame | None:
    """Refuse a truncated file, and too large a canvas: just opening it would allocate its memory (RFC 9649).

    Returns the position of an animation's first frame.
    """
    promised = 8 + int.from_bytes(data[4:8], "little")
    if len(data) < promised:
        raise InvalidImage(f"damaged WebP: it should have {promised:,} bytes and has {len(data):,}")
    with suppress(struct.error):
        match data[12:16]:
            case b"VP8 ":
                width, height = struct.unpack_from("<HH", data, 26)
                check_pixels(width & 0x3FFF, height & 0x3FFF, limits)
            case b"VP8L":
                (sides,) = struct.unpack_from("<I", data, 21)
                check_pixels((sides & 0x3FFF) + 1, (sides >> 14 & 0x3FFF) + 1, limits)
            case b"VP8X":
                width, height = (int.from_bytes(data[place : place + 3], "little") for place in (24, 27))
                check_pixels(width + 1, height + 1, limits)
                return _first_webp_frame(data) if data[20] & 2 else None
    return None


def _first_webp_frame(data: bytes) -> Frame | None:
    position = 12
    for _ in range(MAX_PARTS):
        kind, size = data[position : position + 4], int.from_bytes(data[position + 4 : position + 8], "little")
        if kind == b"ANMF":
            place = position + 8
            left, top, width, height = (int.from_bytes(data[place + i : place + i + 3], "little") for i in (0, 3, 6, 9))
            return 2 * left, 2 * top, 2 * left + width + 1, 2 * top + height + 1
        position += 8 + size + size % 2
        if position >= len(data):
            break
    return None


def check_gif(data: bytes) -> Frame:
    """Refuse a GIF without a picture, or with too many blocks before the first (GIF89a, sections 17 to 26).

    Returns the position of the first frame.
    """
    position = 13 + _colour_table_bytes(data[10:11])
    for _ in range(MAX_PARTS):
        match data[position : position + 1]:
            case b"," if position + 9 <= len(data):
                left, top, width, height = struct.unpack_from("<HHHH", data, position + 1)
                return left, top, left + width, top + height
            case b"!":
                position = _after_blocks(data, position + 2)
            case _:
                break
    else:
        raise InvalidImage(f"the GIF has more than {MAX_PARTS:,} extensions before its first picture")
    raise InvalidImage("damaged GIF: it has no picture")


def _colour_table_bytes(flags: bytes) -> int:
    return 3 << ((flags[0] & 7) + 1) if flags and flags[0] & 0x80 else 0


def _after_blocks(data: bytes, position: int) -> int:
    for _ in range(MAX_PARTS):
        size = data[position] if position < len(data) else 0
        position += 1 + size
        if not size:
            return position
    raise InvalidImage(f"an extension of the GIF has more than {MAX_PARTS:,} blocks")


def check_avif(data: bytes) -> None:
    """Refuse more than 8 bits, which Pillow would reduce (AV1 in ISO-BMFF, 2.3.3: the third byte of av1C)."""
    for found in re.finditer(rb"av1C\x81.([\x00-\xff])", data[: _media_start(data)], re.DOTALL):
        flags = found[1][0]
        if flags & 0x40:
            bits = 12 if flags & 0x20 else 10
            raise InvalidImage(f"the AVIF has {bits} bits per sample; only 8 bits can be read without loss")


def _media_start(data: bytes) -> int:
    """Find where the boxes that describe the picture end and its coded data begin."""
    position = 0
    while position + 8 <= len(data):
        size = int.from_bytes(data[position : position + 4], "big")
        if data[position + 4 : position + 8] == b"mdat" or size < 8:
            break
        position += size
    return min(position, len(data))
