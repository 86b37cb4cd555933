"""Pixels of four bytes, of which the last means nothing, packed to three."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numpy.typing import NDArray

from service.engine.loops.compiler import address, compiled, intrinsic

_AT_ONCE = 16


@compiled
def pack(pixels: NDArray[np.uint8], packed: NDArray[np.uint8]) -> None:
    """Copy the first three bytes of each pixel: (n, 4) to (n, 3)."""
    count = len(pixels)
    whole = count - count % _AT_ONCE
    for pixel in range(0, whole, _AT_ONCE):
        _pack_some(pixels, 4 * pixel, packed, 3 * pixel)
    for pixel in range(whole, count):
        for channel in range(3):
            packed[pixel, channel] = pixels[pixel, channel]


@intrinsic
def _pack_some(_context: Any, pixels: Any, source: Any, packed: Any, target: Any) -> Any:
    """Pack 16 pixels by one shuffle of bytes. Compilers do not find it in a loop, which takes 7 times as long."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        (pixels, _, packed, _), (from_array, source, to_array, target) = signature.args, arguments
        four, three = (ir.VectorType(ir.IntType(8), each * _AT_ONCE) for each in (4, 3))
        kept = [byte for byte in range(4 * _AT_ONCE) if byte % 4 < 3]
        every = builder.load(address(context, builder, pixels, from_array, source, four), align=1)
        some = builder.shuffle_vector(every, every, ir.Constant(ir.VectorType(ir.IntType(32), len(kept)), kept))
        builder.store(some, address(context, builder, packed, to_array, target, three), align=1)
        return context.get_dummy_value()

    return types.void(pixels, source, packed, target), build
