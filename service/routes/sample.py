"""A small RGB picture for the examples of the API description, so that they run unchanged."""

from __future__ import annotations

import base64
import struct
import zlib

WIDTH, HEIGHT = 48, 32


def _sample() -> bytes:
    """Write a PNG (ISO/IEC 15948) of two gradients with a bright disk in front."""
    rows = b"".join(b"\x00" + b"".join(_pixel(x, y) for x in range(WIDTH)) for y in range(HEIGHT))
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(rows, 9)) + _chunk(b"IEND", b"")
    )


def _pixel(x: int, y: int) -> bytes:
    inside = (x - WIDTH // 2) ** 2 + (y - HEIGHT // 2) ** 2 < (HEIGHT // 3) ** 2
    return bytes((240, 220, 80)) if inside else bytes((5 * x, 7 * y, 128))


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


SAMPLE_PNG = _sample()
SAMPLE_BASE64 = base64.b64encode(SAMPLE_PNG).decode()
