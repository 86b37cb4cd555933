"""Sums over the three channels of a pixel, as floats: colours made gray, or turned into other colours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.engine.loops.calls import COUNTER, IMAGE, MEMORY, OUT, Given, arguments, bytes_at, numbers_at, words_at
from service.engine.loops.compiler import LEVEL, compiled
from service.engine.loops.samples import UINT8, UINT16
from service.engine.loops.vectors import (
    arrange,
    convert,
    fma,
    join,
    load,
    load_as,
    load_each,
    next_piece,
    splat,
    splat_as,
    store,
    unweave,
    view,
    weave,
)

Array = NDArray[Any]

CHANNELS = 3
PIECE = 1 << 15
"""Pixels that a thread takes at once."""
BLOCK = 512
"""Pixels of which the channels, and what comes of them, lie as planes of floats in the first-level cache."""
TOGETHER = 32
"""Pixels of a vector: as bytes one register of AVX2, as floats four. BLOCK and PIECE are multiples of it."""
BEYOND = 2
"""Pixels behind the last one that may be read, where a vector of bytes does not end with a pixel."""
SAMPLES = CHANNELS * (BLOCK + BEYOND)
SPARE, ROOM = 8 * SAMPLES, 12 * SAMPLES
"""In bytes: where the memory of a thread has room for the last pixels of an image, behind the planes; and its size."""
FOUR, QUAD = 12, 16
"""Bytes of four pixels, and those that are loaded for them."""
QUADS = TOGETHER // 4

_spread = arrange(
    lambda lanes: [
        QUAD * quad + CHANNELS * pixel + byte if byte < CHANNELS else -1
        for quad in range(lanes // QUAD)
        for pixel in range(4)
        for byte in range(4)
    ]
)
"""Move the three bytes of each pixel to a number of 32 bits, the first to its lowest."""
FUSED = LEVEL in {"x86-64-v3", "x86-64-v4"}
"""Whether `fma` surely rounds once. Sums of bytes are finite, as those of floats need not be."""


class Colours(NamedTuple):
    """What becomes of `pixels` pixels of three samples of `kind`, no float64, as `out_kind`.

    `weights` is (outputs, 3), for 1 or 3 outputs; `bias` is added to the sums over `divisor`. What is rounded is
    clipped to the range of its type. `scale` undoes that channel c of a pixel of bytes is 256**c times too large.
    """

    pixels: int
    kind: int
    weights: Array
    divisor: Any
    bias: Array
    scale: Any
    out_kind: int


@compiled(inlined=True)
def _of_bytes(source: Array, at: int) -> Any:
    """Make floats of the channels of pixels of bytes: channel c is 256**c times too large."""
    quads = load_each(source, at, FOUR, QUADS, QUAD)
    pixels = view(_spread(join(quads)), np.int32)
    return (  # masks cost less than shuffles
        convert(pixels & splat_as(np.int32, 0xFF, TOGETHER), np.float32),
        convert(pixels & splat_as(np.int32, 0xFF00, TOGETHER), np.float32),
        convert(pixels & splat_as(np.int32, 0xFF0000, TOGETHER), np.float32),
    )


@compiled
def _read(source: Array, kind: int, count: int, planes: Array) -> None:
    """Make floats of `count` pixels, channel by channel."""
    for i in range(0, count, TOGETHER):
        at = CHANNELS * i << kind
        if kind == UINT8:
            red, green, blue = _of_bytes(source, at)
            store(planes, i, red)
            store(planes, i + BLOCK, green)
            store(planes, i + 2 * BLOCK, blue)
            continue
        if kind == UINT16:
            x = convert(load_as(np.uint16, source, at, TOGETHER), np.float32)
            y = convert(load_as(np.uint16, source, at + 2 * TOGETHER, TOGETHER), np.float32)
            z = convert(load_as(np.uint16, source, at + 4 * TOGETHER, TOGETHER), np.float32)
        else:
            x = load_as(np.float32, source, at, TOGETHER)
            y = load_as(np.float32, source, at + 4 * TOGETHER, TOGETHER)
            z = load_as(np.float32, source, at + 8 * TOGETHER, TOGETHER)
        red, green, blue = unweave((x, y, z))
        store(planes, i, red)
        store(planes, i + BLOCK, green)
        store(planes, i + 2 * BLOCK, blue)


@compiled
def _gray(source: Array, count: int, colours: Colours, target: Array) -> None:
    """Make bytes of pixels of bytes by one row of weights, in registers all the while."""
    w, scale = colours.weights[0], colours.scale
    weights = splat(w[0], TOGETHER), splat(w[1] * scale, TOGETHER), splat(w[2] * scale * scale, TOGETHER)
    bias = splat(colours.bias[0], TOGETHER)
    for i in range(0, count, TOGETHER):
        red, green, blue = _of_bytes(source, CHANNELS * i)
        total = fma(blue, weights[2], fma(green, weights[1], fma(red, weights[0], bias)))
        store(target, i, convert(total, np.uint8))


@compiled
def _sum(planes: Array, count: int, colours: Colours, output: int, sums: Array) -> None:
    """Make one output of `count` pixels."""
    w, scale, bias = colours.weights[output], colours.scale, colours.bias[output]
    red, green, blue = splat(w[0], TOGETHER), splat(w[1] * scale, TOGETHER), splat(w[2] * scale * scale, TOGETHER)
    divides = colours.divisor != 1
    start, last = splat(np.float32(0) if divides else bias, TOGETHER), splat(bias, TOGETHER)
    divisor, inverse = splat(colours.divisor, TOGETHER), splat(np.float32(1) / colours.divisor, TOGETHER)
    corrects = FUSED and colours.kind == UINT8
    for i in range(0, count, TOGETHER):
        total = fma(load(planes, i, TOGETHER), red, start)
        total = fma(load(planes, i + BLOCK, TOGETHER), green, total)
        total = fma(load(planes, i + 2 * BLOCK, TOGETHER), blue, total)
        if divides and corrects:
            # After P. W. Markstein (1990): corrected once, it is rounded as by a division, which takes longer.
            quotient = total * inverse
            total = fma(fma(-quotient, divisor, total), inverse, quotient) + last
        elif divides:
            total = total / divisor + last
        store(sums, output * BLOCK + i, total)


@compiled
def _write(sums: Array, count: int, outputs: int, kind: int, target: Array) -> None:
    """Round and clip the sums of `count` pixels and store them, those of a pixel side by side."""
    for i in range(0, count, TOGETHER):
        x, at = load(sums, i, TOGETHER), outputs * i << kind
        if outputs == 1:
            if kind == UINT8:
                store(target, at, convert(x, np.uint8))
            elif kind == UINT16:
                store(target, at, convert(x, np.uint16))
            else:
                store(target, at, x)
            continue
        y, z = load(sums, i + BLOCK, TOGETHER), load(sums, i + 2 * BLOCK, TOGETHER)
        if kind == UINT8:
            store(target, at, join(weave((convert(x, np.uint8), convert(y, np.uint8), convert(z, np.uint8)))))
        elif kind == UINT16:
            store(target, at, join(weave((convert(x, np.uint16), convert(y, np.uint16), convert(z, np.uint16)))))
        else:
            store(target, at, join(weave((x, y, z))))


@compiled
def _copy(source: int, target: int, size: int) -> None:
    """Copy `size` bytes from one address to another."""
    s, t = bytes_at(source, (size,)), bytes_at(target, (size,))
    for i in range(size):
        t[i] = s[i]


@compiled(noted=True)
def recolour(given: Given, notes: Sequence[tuple[Colours]]) -> None:
    """Make PIECE pixels of those at the addresses that are `given`, as long as the counter has not passed the last."""
    (colours,) = arguments(notes)
    pixels, kind, out_kind, outputs = colours.pixels, colours.kind, colours.out_kind, len(colours.weights)
    size, out_size, counter = CHANNELS << kind, outputs << out_kind, words_at(given[COUNTER], (1,))
    planes = numbers_at(given[MEMORY], (CHANNELS * BLOCK,), colours.weights)
    sums = numbers_at(given[MEMORY] + 4 * CHANNELS * BLOCK, (CHANNELS * BLOCK,), colours.weights)
    spare = given[MEMORY] + SPARE
    while True:
        begin = next_piece(counter) * PIECE
        if begin >= pixels:
            break
        for pixel in range(begin, min(begin + PIECE, pixels), BLOCK):
            left, start, to = pixels - pixel, given[IMAGE] + pixel * size, given[OUT] + pixel * out_size
            count = min(left, BLOCK)
            # Beyond the last pixels there may be no memory to read, nor any of this image to write.
            if left < BLOCK + BEYOND:
                _copy(start, spare, left * size)
                start = spare
            source = bytes_at(start, ((BLOCK + BEYOND) * size,))
            target = bytes_at(to if left >= BLOCK else spare, (BLOCK * out_size,))
            if outputs == 1 and kind == out_kind == UINT8 and colours.divisor == 1:
                _gray(source, count, colours, target)
            else:
                _read(source, kind, count, planes)
                for output in range(outputs):
                    _sum(planes, count, colours, output, sums)
                _write(sums, count, outputs, out_kind, target)
            if left < BLOCK:
                _copy(spare, to, left * out_size)
