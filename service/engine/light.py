"""sRGB to linear light and back, where `full` counts as white on both sides (IEC 61966-2-1).

Beyond 0..`full` the curves go on; negative numbers are the mirror image of their magnitude.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Image = NDArray[Any]


def decode(coded: Image, full: float, dtype: str) -> Image:
    """Turn coded samples into linear light of type `dtype`; integers by a table of all their values."""
    if coded.dtype.kind == "u":
        return _table(coded.dtype, full).astype(dtype)[coded]
    return _decode(coded.astype(np.float64), full).astype(dtype)


def encode(linear: Image, full: float) -> Image:
    """Turn linear light into coded samples of the same float type."""
    light = np.abs(linear) / full
    coded = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.copysign(coded * full, linear)


def _decode(coded: NDArray[np.float64], full: float) -> NDArray[np.float64]:
    level = np.abs(coded) / full
    light = np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4)
    return np.copysign(light * full, coded)


@cache
def _table(dtype: np.dtype[Any], full: float) -> NDArray[np.float64]:
    return _decode(np.arange(np.iinfo(dtype).max + 1, dtype=np.float64), full)
