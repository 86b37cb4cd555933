"""The ancillary chunks of a PNG: where they may stand, and what they say (PNG, third edition, 5.6 and 11.3)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping

from service.engine.codecs.metadata import GREATEST_DENSITY, MAX_PROFILE_BYTES, Density, Metadata, fitting_profile

COLOUR = (b"cICP", b"sRGB", b"gAMA", b"cHRM")
"""Chunks besides iCCP that say how levels become colours; kept unchanged."""
MAX_PROFILES = 16
"""Profiles tried until one is valid: each may take a megabyte to inflate."""
READ = frozenset({*COLOUR, b"iCCP", b"pHYs", b"tRNS", b"eXIf"})

_BEFORE_PALETTE = frozenset({*COLOUR, b"iCCP"})
_GREATEST = 2**31 - 1
"""The largest of a PNG's unsigned integers (section 7.1)."""
_GAMMA_UNIT = 100_000
_LEAST_GAMMA, _GREATEST_GAMMA = 0.01, 100
"""Values beyond count as damage: no display comes near, and libpng has the same bounds."""


def in_place(kind: bytes, *, palette: bool, pixels: bool, indexed: bool) -> bool:
    """Say whether a chunk may follow the palette and pixels met so far (section 5.6).

    In a picture of `indexed` colours tRNS follows the palette. eXIf may stand anywhere, as when first registered.
    """
    if kind == b"eXIf":
        return True
    if kind == b"tRNS" and indexed and not palette:
        return False
    return not pixels and not (palette and kind in _BEFORE_PALETTE)


def kept(kind: bytes, content: bytes, *, gray: bool) -> bytes | None:
    """Return the part of the content that is used, for iCCP the profile; None if the specification forbids it."""
    if kind == b"iCCP":
        return _profile(content, 1 if gray else 3)
    return content if _sound(kind, content) else None


def _sound(kind: bytes, content: bytes) -> bool:
    match kind:
        case b"gAMA":
            return len(content) == 4 and _LEAST_GAMMA <= gamma(content) <= _GREATEST_GAMMA
        case b"cHRM":
            return len(content) == 32 and max(struct.unpack(">8I", content)) <= _GREATEST
        case b"sRGB":
            return len(content) == 1 and content[0] <= 3
        case b"cICP":  # a PNG's samples are RGB: no matrix
            return len(content) == 4 and content[2] == 0 and content[3] <= 1
        case b"pHYs":
            return (
                len(content) == 9
                and content[8] <= 1
                and all(0 < number <= GREATEST_DENSITY for number in _density(content)[:2])
            )
        case b"eXIf":
            return content.removeprefix(b"Exif\0\0")[:4] in {b"II*\0", b"MM\0*"}
    return True


def gamma(content: bytes) -> float:
    """Read gAMA: the level is light raised to this power."""
    return int.from_bytes(content, "big") / _GAMMA_UNIT


def metadata(chunks: Mapping[bytes, bytes]) -> Metadata:
    """Gather the metadata to hand on."""
    density = Density(*_density(chunks[b"pHYs"])) if b"pHYs" in chunks else None
    return Metadata(tuple((kind, chunks[kind]) for kind in COLOUR if kind in chunks), density)


def _profile(content: bytes, channels: int) -> bytes | None:
    """Inflate the profile of iCCP: name, 0, method 0, zlib stream. None if it is damaged, too large or does not fit."""
    compressed = content.partition(b"\0")[2][1:]
    stream = zlib.decompressobj()
    try:
        icc = stream.decompress(compressed, MAX_PROFILE_BYTES)
    except zlib.error:
        return None
    return fitting_profile(icc, channels) if stream.eof else None


def written(data: Metadata) -> list[tuple[bytes, bytes]]:
    """Return the chunks for `data`, in an order allowed before the pixels."""
    chunks = list(data.colour)
    if data.density is not None:
        chunks.append((b"pHYs", struct.pack(">IIB", *data.density)))
    return chunks


def _density(content: bytes) -> tuple[int, int, bool]:
    across, down, unit = struct.unpack(">IIB", content)
    return across, down, bool(unit)
