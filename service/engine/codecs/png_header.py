"""A PNG's chunks, and what they say of the pixels (PNG specification, third edition, sections 5 and 11)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from isal import isal_zlib

from service.engine.errors import InvalidImage

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MAX_CHUNKS = 100_000

GRAY, RGB, PALETTE, GRAY_ALPHA, RGBA = 0, 2, 3, 4, 6
"""The colour types."""

IMAGE_HEADER = struct.Struct(">IIBBBBB")
"""Width, height, bits of a sample, colour type; methods of compression, filtering, interlacing."""
_CHUNK, _CHECKSUM = struct.Struct(">I4s"), struct.Struct(">I")
_SAMPLES = {GRAY: 1, RGB: 3, PALETTE: 1, GRAY_ALPHA: 2, RGBA: 4}
_DEPTHS = {
    GRAY: (1, 2, 4, 8, 16),
    RGB: (8, 16),
    PALETTE: (1, 2, 4, 8),
    GRAY_ALPHA: (8, 16),
    RGBA: (8, 16),
}


def damaged(what: str) -> InvalidImage:
    return InvalidImage(f"damaged PNG: {what}")


class Chunk(NamedTuple):
    kind: bytes
    start: int
    stop: int


@dataclass(slots=True)
class Header:
    """Everything but the pixels; `pixels` lists where their chunks are."""

    width: int
    height: int
    depth: int
    colour: int
    interlaced: bool
    palette: bytes | None = None
    transparency: bytes | None = None
    exif: bytes = b""
    profile: bytes = b""
    pixels: list[Chunk] = field(default_factory=list)

    @property
    def channels(self) -> int:
        """Count the channels of the image, where a palette is replaced by its colours and tRNS by alpha."""
        return (3 if self.colour == PALETTE else _SAMPLES[self.colour]) + (self.transparency is not None)

    @property
    def as_stored(self) -> bool:
        """Tell whether the samples of the file are the levels of the image, byte by byte."""
        return self.depth == 8 and self.colour != PALETTE and self.transparency is None

    @property
    def samples(self) -> int:
        """Count the samples that a pixel has in the file."""
        return _SAMPLES[self.colour]


def read_header(view: memoryview) -> Header:
    """Walk all chunks, reading those that matter and hopping over the others."""
    chunks = _chunks(view)
    first = next(chunks)
    if first.kind != b"IHDR":
        raise damaged("it does not begin with IHDR")
    header = _image_header(_checked(view, first))
    previous = b"IHDR"
    for chunk in chunks:
        match chunk.kind:
            case b"IDAT":
                if header.pixels and previous != b"IDAT":
                    raise damaged("other chunks lie between those of the pixels")
                header.pixels.append(chunk)
            case b"PLTE":
                if header.palette is not None or header.pixels:
                    raise damaged("PLTE is given twice or after the pixels")
                header.palette = _checked(view, chunk)
            case b"tRNS" if not header.pixels and header.colour in {GRAY, RGB, PALETTE}:
                header.transparency = _checked(view, chunk)
            case b"eXIf":
                header.exif = _checked(view, chunk)
            case b"iCCP" if not header.pixels:
                header.profile = _checked(view, chunk)
            case b"IHDR":
                raise damaged("IHDR is given twice")
            case kind if not kind[0] & 0x20 and kind != b"IEND":
                raise damaged(f"it needs {kind.decode('ascii')}, an extension that is not known here")
        previous = chunk.kind
    if not header.pixels:
        raise damaged("it has no pixels (IDAT)")
    _check_colours(header)
    return header


def _chunks(view: memoryview) -> Iterator[Chunk]:
    """List the chunks up to IEND, checking that each lies within the file."""
    position = len(SIGNATURE)
    for _ in range(MAX_CHUNKS):
        if position + 12 > len(view):
            raise damaged("it ends before IEND")
        length, kind = _CHUNK.unpack_from(view, position)
        stop = position + 8 + length
        if not kind.isalpha():
            raise damaged("a chunk has no proper name")
        if stop + 4 > len(view):
            raise damaged(f"it ends within a chunk ({kind.decode('ascii')})")
        yield Chunk(kind, position + 8, stop)
        if kind == b"IEND":
            return
        position = stop + 4
    raise damaged(f"it has more than {MAX_CHUNKS:,} chunks")


def _checked(view: memoryview, chunk: Chunk) -> bytes:
    """Give the content of a chunk whose checksum is right."""
    content = bytes(view[chunk.start : chunk.stop])
    check_sum(view, chunk, isal_zlib.crc32(content, isal_zlib.crc32(chunk.kind)))
    return content


def check_sum(view: memoryview, chunk: Chunk, checksum: int) -> None:
    if _CHECKSUM.unpack_from(view, chunk.stop) != (checksum,):
        raise damaged(f"the checksum of {chunk.kind.decode('ascii')} is wrong")


def _image_header(content: bytes) -> Header:
    if len(content) != IMAGE_HEADER.size:
        raise damaged("IHDR has a wrong length")
    width, height, depth, colour, compression, filtering, interlacing = IMAGE_HEADER.unpack(content)
    if not (0 < width < 2**31 and 0 < height < 2**31):
        raise damaged(f"its size is {width}×{height}")
    if depth not in _DEPTHS.get(colour, ()):
        raise damaged(f"there is no colour type {colour} of {depth} bits")
    if compression or filtering or interlacing > 1:
        raise damaged("its compression, filter or interlace method does not exist")
    return Header(width, height, depth, colour, interlaced=bool(interlacing))


def _check_colours(header: Header) -> None:
    """Check palette and transparency against the colour type."""
    if header.colour == PALETTE:
        colours, odd = divmod(len(header.palette or b""), 3)
        if odd or not 1 <= colours <= 2**header.depth:
            raise damaged("its palette is missing or of a wrong length")
        if header.transparency is not None and len(header.transparency) > colours:
            raise damaged("tRNS is longer than the palette")
    elif header.transparency is not None and len(header.transparency) != 2 * _SAMPLES[header.colour]:
        raise damaged("tRNS has a wrong length")
