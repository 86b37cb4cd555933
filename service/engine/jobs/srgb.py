"""Convert levels to linear light and back; `full` is white on both sides.

The curve is sRGB's (IEC 61966-2-1), or with `gamma` a power: level = light ** gamma, as a PNG's gAMA says. The curves
continue beyond 0..`full`; a negative number is converted like its magnitude and keeps its sign.
"""

from __future__ import annotations

from functools import lru_cache
from math import inf, log10
from typing import Any

import numpy as np
from numpy.typing import NDArray

Image = NDArray[Any]


def decode(coded: Image, full: float, dtype: str, gamma: float | None = None) -> Image:
    """Turn coded samples into linear light of type `dtype`; integers with a table of all their values."""
    if coded.dtype.kind == "u":
        return _table(coded.dtype, full, gamma).astype(dtype)[coded]
    return _decode(coded.astype(np.float64), full, gamma).astype(dtype)


def encode(linear: Image, full: float, gamma: float | None = None) -> Image:
    """Turn linear light into coded samples of the same float type."""
    light = np.abs(linear) / full
    if gamma is None:
        coded = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    else:
        coded = light**gamma
    return np.copysign(coded * full, linear)


def steepness(gamma: float | None) -> float:
    """Bound how much `encode` magnifies a small error: most at black, or with a power above 1 at white."""
    if gamma is None:
        return 12.92
    return gamma if gamma >= 1 else inf


def greatest(light: float, full: float, gamma: float | None) -> float:
    """Bound `encode` for light up to `light`; infinity if the bound exceeds all floats."""
    if gamma is None or gamma <= 1 or light <= full:
        return light
    digits = log10(full) + gamma * log10(light / full)
    return 10**digits if digits < 308 else inf


def _decode(coded: NDArray[np.float64], full: float, gamma: float | None) -> NDArray[np.float64]:
    level = np.abs(coded) / full
    if gamma is None:
        light = np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4)
    else:
        light = level ** (1 / gamma)
    return np.copysign(light * full, coded)


@lru_cache(maxsize=16)
def _table(dtype: np.dtype[Any], full: float, gamma: float | None) -> NDArray[np.float64]:
    return _decode(np.arange(np.iinfo(dtype).max + 1, dtype=np.float64), full, gamma)
