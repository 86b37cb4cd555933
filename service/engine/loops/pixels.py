"""Pixels of four bytes, of which the last means nothing, packed to three."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from service.engine.loops.compiler import compiled
from service.engine.loops.vectors import arrange, load, store

_BYTES = 64

_three_of_four = arrange(lambda lanes: [byte for byte in range(lanes) if byte % 4 < 3])


@compiled
def pack(pixels: NDArray[np.uint8], packed: NDArray[np.uint8]) -> None:
    """Copy the first three bytes of each pixel: (n, 4) to (n, 3)."""
    source, target = pixels.reshape(-1), packed.reshape(-1)
    whole = len(source) - len(source) % _BYTES
    for byte in range(0, whole, _BYTES):
        store(target, byte // 4 * 3, _three_of_four(load(source, byte, _BYTES)))
    for pixel in range(whole // 4, len(pixels)):
        for channel in range(3):
            packed[pixel, channel] = pixels[pixel, channel]
