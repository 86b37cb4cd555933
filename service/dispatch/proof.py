"""A test picture that a worker must filter correctly before it gets anyone's."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable
from time import perf_counter

from service.engine.jobs import Job, Result
from service.engine.machine.limits import Limits

PICTURE = ((10, 200, 30, 40), (50, 60, 255, 80), (90, 0, 110, 120))
KERNEL = ((1, 2, 3), (4, 5, 6), (7, 8, 9))
DIVISOR = 45
ANSWER = ((49, 97, 97, 61), (43, 92, 96, 72), (16, 43, 46, 32))
"""ANSWER[y][x] = round(sum over i, j of KERNEL[i][j] * PICTURE[y + i - 1][x + j - 1] / DIVISOR), with zeros outside."""

WRONG = "the engine answers its test picture wrongly"


class WrongAnswer(Exception):
    """The engine is there, but computes wrong values."""


def prove(perform: Callable[[Job, int], Result]) -> None:
    """Filter `PICTURE`, from PNG to PNG; raises WrongAnswer, or whatever the engine raises."""
    spec = {"op": "conv", "kernel": KERNEL, "divisor": DIVISOR, "padding": 1}
    job = Job("filter", png(PICTURE), Limits(), perf_counter(), "image", json.dumps(spec).encode())
    answer = bytes(perform(job, 1).body)
    try:
        rows = samples(answer)
    except (ValueError, IndexError, struct.error, zlib.error) as error:
        raise WrongAnswer(f"the answer is no PNG of 8-bit gray: {answer[:100]!r}") from error
    if rows != ANSWER:
        raise WrongAnswer(f"the samples are {rows}, and should be {ANSWER}")


def png(rows: tuple[tuple[int, ...], ...]) -> bytes:
    """Write 8-bit gray samples as a PNG."""
    return png_of(len(rows[0]), len(rows), b"".join(bytes((0, *row)) for row in rows))


def png_of(width: int, height: int, lines: bytes) -> bytes:
    """Write an 8-bit gray PNG from filtered rows, each preceded by the number of its filter."""
    header = struct.pack("!IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, content) for kind, content in chunks)


def samples(data: bytes) -> tuple[tuple[int, ...], ...]:
    """Read the samples of an 8-bit gray PNG, not interlaced (PNG, section 9.2); raises ValueError and the like."""
    width, _, *form = struct.unpack_from("!IIBBBBB", data, 16)
    if form != [8, 0, 0, 0, 0]:
        raise ValueError("no 8-bit gray")
    lines = zlib.decompress(_pixels(data))
    rows: list[tuple[int, ...]] = []
    for start in range(0, len(lines), width + 1):
        above, row = rows[-1] if rows else (0,) * width, list(lines[start + 1 : start + 1 + width])
        for x in range(width):
            left, corner = (row[x - 1], above[x - 1]) if x else (0, 0)
            predicted = (0, left, above[x], (left + above[x]) // 2, _paeth(left, above[x], corner))
            row[x] = (row[x] + predicted[lines[start]]) % 256
        rows.append(tuple(row))
    return tuple(rows)


def _pixels(data: bytes) -> bytes:
    """Join the contents of the IDAT chunks."""
    found, place = b"", 8
    while place < len(data):
        length, kind = struct.unpack_from("!I4s", data, place)
        found += data[place + 8 : place + 8 + length] if kind == b"IDAT" else b""
        place += length + 12
    return found


def _paeth(left: int, above: int, corner: int) -> int:
    """Return the neighbour nearest to left + above - corner; on a tie, the first of them."""
    estimate = left + above - corner
    return min((left, above, corner), key=lambda neighbour: abs(estimate - neighbour))


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack("!I", len(content)) + kind + content + struct.pack("!I", zlib.crc32(kind + content))
