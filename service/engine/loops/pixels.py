"""Pixels of four bytes, of which the last means nothing, packed to three."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from service.engine.loops.compiler import compiled
from service.engine.loops.vectors import arrange, load, store

_PIXELS = 16
_BYTES = 4 * _PIXELS
_without_fourth = arrange(lambda lanes: [byte for byte in range(lanes) if byte % 4 < 3])


@compiled
def pack(pixels: NDArray[np.uint8], packed: NDArray[np.uint8]) -> None:
    """Copy the first three bytes of each pixel: (n, 4) to (n, 3)."""
    source, target, count = pixels.reshape(-1), packed.reshape(-1), len(pixels)
    whole = count - count % _PIXELS
    for pixel in range(0, whole, _PIXELS):
        store(target, 3 * pixel, _without_fourth(load(source, 4 * pixel, _BYTES)))
    for pixel in range(whole, count):
        for channel in range(3):
            packed[pixel, channel] = pixels[pixel, channel]
