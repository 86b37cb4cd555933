"""Read a PNG's chunks and what they say about the pixels (PNG specification, third edition, sections 5 and 11).

A damaged critical chunk is refused. A damaged, misplaced or duplicate ancillary chunk is skipped, as in libpng; surplus
palette and tRNS entries are ignored.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from isal import isal_zlib

from service.engine.codecs import png_ancillary as ancillary
from service.engine.codecs.metadata import Metadata
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
    ancillary: dict[bytes, bytes] = field(default_factory=dict)
    pixels: list[Chunk] = field(default_factory=list)

    @property
    def channels(self) -> int:
        """Count the channels of the image, in which colours replace a palette and alpha replaces tRNS."""
        return (3 if self.colour == PALETTE else _SAMPLES[self.colour]) + (self.transparency is not None)

    @property
    def as_stored(self) -> bool:
        """Tell whether the file's samples are the image's levels, byte by byte."""
        return self.depth == 8 and self.colour != PALETTE and self.transparency is None

    @property
    def samples(self) -> int:
        """Count the samples per pixel in the file."""
        return _SAMPLES[self.colour]

    @property
    def exif(self) -> bytes:
        return self.ancillary.get(b"eXIf", b"")

    @property
    def icc(self) -> bytes | None:
        """Return the ICC profile, if there is one that describes these channels."""
        return self.ancillary.get(b"iCCP")

    @property
    def gamma(self) -> float | None:
        """Return gAMA if it alone says how levels become light; cICP, iCCP and sRGB outrank it (section 4.3)."""
        content = self.ancillary.get(b"gAMA")
        outranked = not self.ancillary.keys().isdisjoint({b"cICP", b"iCCP", b"sRGB"})
        return None if content is None or outranked else ancillary.gamma(content)

    @property
    def metadata(self) -> Metadata:
        return ancillary.metadata(self.ancillary)


def read_header(view: memoryview) -> Header:
    """Walk all chunks; read those that matter and skip the others."""
    chunks = _chunks(view)
    first = next(chunks)
    if first.kind != b"IHDR":
        raise damaged("it does not begin with IHDR")
    header = _image_header(_checked(view, first))
    previous, palette_seen, profiles = b"IHDR", False, 0
    for chunk in chunks:
        match chunk.kind:
            case b"IDAT":
                if header.pixels and previous != b"IDAT":
                    raise damaged("other chunks lie between those of the pixels")
                header.pixels.append(chunk)
            case b"PLTE":
                if header.colour == PALETTE:
                    header.palette = _palette(view, chunk, header)
                palette_seen = True
            case b"IHDR":
                raise damaged("IHDR is given twice")
            case kind if not kind[0] & 0x20 and kind != b"IEND":
                raise damaged(f"it needs {kind.decode('ascii')}, an extension that is not supported")
            case kind if kind in ancillary.READ and kind not in header.ancillary:
                indexed, met = header.colour == PALETTE, bool(header.pixels)
                if ancillary.in_place(kind, palette=palette_seen, pixels=met, indexed=indexed):
                    profiles += kind == b"iCCP"
                    if profiles <= ancillary.MAX_PROFILES:
                        _take(view, chunk, header)
        previous = chunk.kind
    if not header.pixels:
        raise damaged("it has no pixels (IDAT)")
    if header.colour == PALETTE and header.palette is None:
        raise damaged("its palette is missing")
    header.transparency = _transparency(header)
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
            raise damaged("a chunk has an invalid name")
        if stop + 4 > len(view):
            raise damaged(f"it ends within a chunk ({kind.decode('ascii')})")
        yield Chunk(kind, position + 8, stop)
        if kind == b"IEND":
            return
        position = stop + 4
    raise damaged(f"it has more than {MAX_CHUNKS:,} chunks")


def _checked(view: memoryview, chunk: Chunk) -> bytes:
    """Return the content of a chunk after checking its checksum."""
    content = bytes(view[chunk.start : chunk.stop])
    check_sum(view, chunk, isal_zlib.crc32(content, isal_zlib.crc32(chunk.kind)))
    return content


def _take(view: memoryview, chunk: Chunk, header: Header) -> None:
    """Keep an ancillary chunk if neither its checksum nor its content is wrong."""
    content = bytes(view[chunk.start : chunk.stop])
    if _CHECKSUM.unpack_from(view, chunk.stop) != (isal_zlib.crc32(content, isal_zlib.crc32(chunk.kind)),):
        return
    kept = ancillary.kept(chunk.kind, content, gray=header.colour in {GRAY, GRAY_ALPHA})
    if kept is not None:
        header.ancillary[chunk.kind] = kept


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
        raise damaged(f"colour type {colour} with {depth} bits does not exist")
    if compression or filtering or interlacing > 1:
        raise damaged("its compression, filter or interlace method does not exist")
    return Header(width, height, depth, colour, interlaced=bool(interlacing))


def _palette(view: memoryview, chunk: Chunk, header: Header) -> bytes:
    """Return the colours that pixels of this depth can name; surplus colours are ignored."""
    if header.palette is not None or header.pixels:
        raise damaged("PLTE is given twice or after the pixels")
    colours = _checked(view, chunk)
    if not colours or len(colours) % 3:
        raise damaged(f"its palette has {len(colours)} bytes; it must have a multiple of 3, and not 0")
    return colours[: 3 * 2**header.depth]


def _transparency(header: Header) -> bytes | None:
    """Return the part of tRNS that this colour type can use; None if it is too short or not allowed here."""
    content = header.ancillary.get(b"tRNS", b"")
    if header.colour == PALETTE:
        return content[: len(header.palette or b"") // 3] or None
    needed = 2 * _SAMPLES[header.colour]
    return content[:needed] if header.colour in {GRAY, RGB} and len(content) >= needed else None
