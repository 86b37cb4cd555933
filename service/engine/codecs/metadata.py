"""What travels beside the pixels and says how to see them: orientation, ICC profile, coding of colours, resolution."""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

MAX_PROFILE_BYTES = 2**20
"""Real profiles take 0.5 to 600 KiB; a larger one is left out."""

_ORIENTATION, _SHORT = 0x0112, 3
_SPACES = {b"GRAY": (1, 2), b"RGB ": (3, 4)}


class Density(NamedTuple):
    """Pixels to the metre, or where they are not `metric` a mere ratio: how many there are across to how many down."""

    across: int
    down: int
    metric: bool


class Metadata(NamedTuple):
    """What else says how samples are to be understood, beside the ICC profile.

    `colour` holds chunks of a PNG (kind, content) that say how levels become colours: cICP, sRGB, gAMA, cHRM.
    """

    colour: tuple[tuple[bytes, bytes], ...] = ()
    density: Density | None = None

    def turned(self, orientation: int) -> Metadata:
        """Follow the picture when it is turned upright."""
        if self.density is None or not transposes(orientation):
            return self
        return self._replace(density=Density(self.density.down, self.density.across, self.density.metric))


NOTHING = Metadata()


def orientation(exif: bytes) -> int:
    """Read the orientation (1 to 8) out of an EXIF block; 1 where there is none that can be read."""
    tiff = exif.removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None:
        return 1
    try:
        (offset,) = struct.unpack_from(order + "I", tiff, 4)
        (entries,) = struct.unpack_from(order + "H", tiff, offset)
        for entry in range(entries):
            tag, kind, count, value = struct.unpack_from(order + "HHIH", tiff, offset + 2 + 12 * entry)
            if (tag, kind, count) == (_ORIENTATION, _SHORT, 1):
                return value if 1 <= value <= 8 else 1
    except struct.error:  # the block ends before its directory does
        pass
    return 1


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
    """Keep an ICC profile if it describes images of so many channels, alpha included (ICC.1:2022, 7.2)."""
    if profile is None or not 128 <= len(profile) <= MAX_PROFILE_BYTES or profile[36:40] != b"acsp":
        return None
    return profile if channels in _SPACES.get(profile[16:20], ()) else None
