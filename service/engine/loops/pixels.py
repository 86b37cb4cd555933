"""Pixels of four bytes, of which the last means nothing, packed to three."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from service.engine.loops.compiler import compiled

Bytes = NDArray[np.uint8]

_AT_ONCE = 16


@compiled
def pack(pixels: Bytes, packed: Bytes) -> None:
    """Copy (n, 4) to (n, 3)."""
    count = len(pixels)
    done = count - count % _AT_ONCE
    for first in range(0, done, _AT_ONCE):
        _pack_some(pixels, 4 * first, packed, 3 * first)
    for pixel in range(done, count):
        for channel in range(3):
            packed[pixel, channel] = pixels[pixel, channel]


@intrinsic
def _pack_some(_context: Any, pixels: Any, source: Any, packed: Any, target: Any) -> Any:
    """Pack 16 pixels by one shuffle, which the compiler does not find by itself: loops over bytes take three times as long."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        four, three = (ir.VectorType(ir.IntType(8), bytes_each * _AT_ONCE) for bytes_each in (4, 3))
        read, written = (
            builder.bitcast(cgutils.gep_inbounds(builder, context.make_array(array)(context, builder, value).data, place), vector.as_pointer())
            for array, value, place, vector in ((signature.args[0], *arguments[:2], four), (signature.args[2], *arguments[2:], three))
        )
        kept = ir.Constant(ir.VectorType(ir.IntType(32), 3 * _AT_ONCE), [byte for byte in range(4 * _AT_ONCE) if byte % 4 < 3])
        every = builder.load(read, align=1)
        builder.store(builder.shuffle_vector(every, every, kept), written, align=1)
        return context.get_dummy_value()

    return types.void(pixels, source, packed, target), build
