"""What Pillow does not report of a BMP: its alpha and its pixels per metre ([MS-WMF] 2.2.2.3 to 5)."""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

from service.engine.codecs.metadata import GREATEST_DENSITY, Density

_WITH_DENSITY, _WITH_ALPHA = 40, 56
"""Header sizes that include at least these fields."""
_BITFIELDS = 3


def alpha(content: bytes, width: int, height: int) -> NDArray[np.uint8] | None:
    """Read the alpha plane (H, W, 1); None if it has no mask, or is 0 everywhere and so means nothing."""
    if len(content) < 70 or _header_bytes(content) < _WITH_ALPHA:
        return None
    (begin,) = struct.unpack_from("<I", content, 10)
    (rows,) = struct.unpack_from("<i", content, 22)
    bits, compression = struct.unpack_from("<HI", content, 28)
    *colours, mask = struct.unpack_from("<IIII", content, 54)
    if compression != _BITFIELDS or bits not in {16, 32}:
        return None
    if bits == 32 and not any(colours):  # all masks 0 stand for the usual ones, as in Pillow
        mask = 0xFF000000
    row_words = (width * bits + 31) // 32 * 32 // bits
    if not mask or begin + row_words * height * bits // 8 > len(content):
        return None
    words = np.frombuffer(content, f"<u{bits // 8}", row_words * height, begin).reshape(height, row_words)[:, :width]
    shift = (mask & -mask).bit_length() - 1
    levels = (words & words.dtype.type(mask)) >> words.dtype.type(shift)
    if not levels.any():
        return None
    plane = (levels.astype(np.uint32) * 255 // (mask >> shift)).astype(np.uint8)
    upright: NDArray[np.uint8] = (plane if rows < 0 else plane[::-1])[:, :, None]
    return upright


def density(content: bytes) -> Density | None:
    if len(content) < 46 or _header_bytes(content) < _WITH_DENSITY:
        return None
    across, down = struct.unpack_from("<ii", content, 38)
    return (
        Density(across, down, metric=True) if min(across, down) > 0 and max(across, down) <= GREATEST_DENSITY else None
    )


def _header_bytes(content: bytes) -> int:
    return int.from_bytes(content[14:18], "little")
