"""What a file says beside the pixels about how to show them: orientation, ICC profile, colour coding, resolution."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

MAX_PROFILE_BYTES = 2**20
"""Real profiles take 0.5 to 600 KiB; a larger one is left out."""

GREATEST_DENSITY = 2**31 - 1
"""The largest density that a PNG can hold (third edition, 7.1)."""

_ORIENTATION, _X_RESOLUTION, _Y_RESOLUTION, _RESOLUTION_UNIT = 0x0112, 0x011A, 0x011B, 0x0128
_SHORT, _RATIONAL = 3, 5
_UNSIGNED = {1: "B", _SHORT: "H", 4: "I"}
"""How to unpack an entry, by its type."""
_INCH = 2
_UNITS = {1: None, _INCH: Fraction(10_000, 254), 3: Fraction(100)}
"""Factor to pixels per metre, by unit."""
_SPACES = {b"GRAY": (1, 2), b"RGB ": (3, 4)}


class Density(NamedTuple):
    """Pixels per metre; if not `metric`, only the ratio of pixels across to pixels down."""

    across: int
    down: int
    metric: bool


class Metadata(NamedTuple):
    """How to interpret the samples, apart from the ICC profile.

    `colour` holds the PNG chunks (kind, content) that say how levels become colours: cICP, sRGB, gAMA, cHRM.
    """

    colour: tuple[tuple[bytes, bytes], ...] = ()
    density: Density | None = None

    def turned(self, orientation: int) -> Metadata:
        """Adapt the metadata to the picture when it is turned upright."""
        if self.density is None or not transposes(orientation):
            return self
        return self._replace(density=Density(self.density.down, self.density.across, self.density.metric))


NOTHING = Metadata()


def orientation(exif: bytes) -> int:
    """Read the orientation (1 to 8) from an EXIF block, whatever its unsigned type; 1 if there is none."""
    for tag, kind, count, value in _exif_entries(exif):
        if tag == _ORIENTATION and count == 1 and kind in _UNSIGNED:
            (turned,) = struct.unpack_from(_byte_order(exif) + _UNSIGNED[kind], value)
            return known_orientation(turned)
    return 1


def known_orientation(orientation: int) -> int:
    """Return `orientation` if it is a valid one, else 1."""
    return orientation if 1 <= orientation <= 8 else 1


def exif_density(exif: bytes) -> Density | None:
    """Read XResolution and YResolution from an EXIF block, if both make sense (EXIF 2.32, 4.6.4 A)."""
    order, tiff = _byte_order(exif), _tiff_block(exif)
    across = down = None
    unit = _INCH
    for tag, kind, count, value in _exif_entries(exif):
        if tag in {_X_RESOLUTION, _Y_RESOLUTION} and (kind, count) == (_RATIONAL, 1):
            (place,) = struct.unpack(order + "I", value)
            if place + 8 <= len(tiff):
                pair = struct.unpack_from(order + "II", tiff, place)
                across, down = (pair, down) if tag == _X_RESOLUTION else (across, pair)
        elif tag == _RESOLUTION_UNIT and (kind, count) == (_SHORT, 1):
            (unit,) = struct.unpack_from(order + "H", value)
    return density(across, down, unit) if across and down else None


def density(across: tuple[int, int], down: tuple[int, int], unit: int) -> Density | None:
    """Turn two rational numbers with TIFF's unit (1 none, 2 inch, 3 cm) into pixels per metre, or into a ratio."""
    if 0 in {*across, *down} or unit not in _UNITS:
        return None
    metric = _UNITS[unit]
    if metric is None:  # a pixel aspect ratio; a square one says nothing
        ratio = Fraction(*across) / Fraction(*down)
        found = Density(ratio.numerator, ratio.denominator, metric=False)
        return found if ratio != 1 and max(found[:2]) <= GREATEST_DENSITY else None
    found = Density(round(Fraction(*across) * metric), round(Fraction(*down) * metric), metric=True)
    return found if min(found[:2]) > 0 and max(found[:2]) <= GREATEST_DENSITY else None


def _exif_entries(exif: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """List the first directory: tag, type, count, the four bytes of value or offset (TIFF 6.0, section 2)."""
    tiff, order = _tiff_block(exif), _byte_order(exif)
    if not order:
        return
    try:
        (offset,) = struct.unpack_from(order + "I", tiff, 4)
        (entries,) = struct.unpack_from(order + "H", tiff, offset)
        for entry in range(entries):
            yield struct.unpack_from(order + "HHI4s", tiff, offset + 2 + 12 * entry)
    except struct.error:  # the block ends before its directory does
        return


def _tiff_block(exif: bytes) -> bytes:
    return exif.removeprefix(b"Exif\0\0")


def _byte_order(exif: bytes) -> str:
    """Return the byte order sign for `struct`, or nothing if the block does not begin with one."""
    return {b"II*\0": "<", b"MM\0*": ">"}.get(_tiff_block(exif)[:4], "")


def transposes(orientation: int) -> bool:
    """Say whether this orientation swaps width and height."""
    return orientation >= 5


def upright(image: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Turn an image (H, W, C) so that its first row is the top and its first column the left (EXIF 2.32, 4.6.4 A)."""
    if transposes(orientation):
        image = image.transpose(1, 0, 2)
    if orientation in {2, 3, 6, 7}:
        image = image[:, ::-1]
    if orientation in {3, 4, 7, 8}:
        image = image[::-1]
    return np.ascontiguousarray(image)


def fitting_profile(profile: bytes | None, channels: int) -> bytes | None:
    """Keep an ICC profile if it describes images of `channels` channels, alpha included (ICC.1:2022, 7.2)."""
    if profile is None or not 128 <= len(profile) <= MAX_PROFILE_BYTES or profile[36:40] != b"acsp":
        return None
    return profile if channels in _SPACES.get(profile[16:20], ()) else None
