"""Sums over the three channels of a pixel, as floats: colours made gray, or turned into other colours.

Lanes are pixels here. What the loops know of the distance between samples becomes shuffles; a block is small enough
to stay in the first-level cache from one loop to the next.
"""

# ruff: noqa: ARG001 (the arguments of an intrinsic are found again in what it generates)
from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils, types
from numpy.typing import NDArray

from service.engine.loops.compiler import compiled, intrinsic
from service.engine.loops.lanes import KINDS, UINT8, UINT16, next_piece

Array = NDArray[Any]

CHANNELS = 3
BLOCK = 1024
"""Pixels that are summed before the next loop takes them."""
PIECE = 1 << 15
"""Pixels that a thread takes at once."""


LANES = 16
"""Pixels in a vector."""
LOAD = 64
"""Bytes that are read for them, of which they are 48."""


@intrinsic
def _sum_bytes(
    typing: Any,
    source: Any,
    first: Any,
    red: Any,
    green: Any,
    blue: Any,
    bias: Any,
    sums: Any,
    count: Any,
) -> Any:
    """Do as `_sum` does with `count` pixels, a multiple of LANES, from source[first] on, and read up to 64 bytes each.

    The vectoriser makes bytes of three channels floats by way of 16 bits; here one shuffle widens them.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        def data(index: int) -> Any:
            return context.make_array(signature.args[index])(context, builder, arguments[index]).data

        def spread(number: Any) -> Any:
            lowest = builder.insert_element(undefined, number, cgutils.int32_t(0))
            return builder.shuffle_vector(lowest, undefined, ir.Constant(ir.VectorType(cgutils.int32_t, LANES), None))

        def channel(samples: Any, c: int) -> Any:
            places = [place for i in range(LANES) for place in (CHANNELS * i + c, LOAD, LOAD, LOAD)]
            mask = ir.Constant(ir.VectorType(cgutils.int32_t, LOAD), [cgutils.int32_t(place) for place in places])
            wide = builder.shuffle_vector(samples, ir.Constant(samples.type, None), mask)
            return builder.sitofp(builder.bitcast(wide, ir.VectorType(cgutils.int32_t, LANES)), floats)

        floats, integer = ir.VectorType(ir.FloatType(), LANES), cgutils.intp_t
        undefined = ir.Constant(floats, ir.Undefined)
        weights, added = [spread(weight) for weight in arguments[2:5]], spread(arguments[5])
        samples_at, sums_at = builder.gep(data(0), [arguments[1]]), data(6)
        with cgutils.for_range_slice(builder, integer(0), arguments[7], integer(LANES), intp=integer) as (pixel, _):
            pointer = builder.gep(samples_at, [builder.mul(pixel, integer(CHANNELS))])
            samples = builder.load(builder.bitcast(pointer, ir.VectorType(ir.IntType(8), LOAD).as_pointer()))
            samples.align = 1
            total = builder.fmul(channel(samples, 0), weights[0])
            for c in (1, 2):
                product = builder.fmul(channel(samples, c), weights[c], flags=["contract"])
                total = builder.fadd(product, total, flags=["contract"])
            place = builder.bitcast(builder.gep(sums_at, [pixel]), floats.as_pointer())
            builder.store(builder.fadd(total, added), place).align = 4
        return context.get_dummy_value()

    number, i = types.float32, types.intp
    return types.void(source, i, number, number, number, number, sums, i), generate


@compiled(fastmath={"contract"})
def _sum(samples: Array, weights: Array, bias: Any, sums: Array) -> None:
    s = samples[: CHANNELS * len(sums)]
    red, green, blue = weights[0], weights[1], weights[2]
    for i in range(len(sums)):
        sums[i] = s[3 * i] * red + s[3 * i + 1] * green + s[3 * i + 2] * blue + bias


@compiled
def _divide(numbers: Array, divisor: Any, bias: Any) -> None:
    for i in range(len(numbers)):
        numbers[i] = numbers[i] / divisor + bias


@compiled
def _rounded(number: Any, low: Any, high: Any) -> Any:
    # Conditions, not min and max: these have a rule for NaN, which takes time. Here it becomes 0.
    number = number if number > low else low  # noqa: FURB136
    number = number if number < high else high  # noqa: FURB136
    return np.int32(np.rint(number))


@compiled
def _round(numbers: Array, target: Array, high: Any) -> None:
    low = high - high
    n = numbers[: len(target)]
    for i in range(len(target)):
        target[i] = _rounded(n[i], low, high)


@compiled
def _copy(numbers: Array, target: Array) -> None:
    n = numbers[: len(target)]
    for i in range(len(target)):
        target[i] = n[i]


@compiled
def _weave_rounded(sums: Array, n: int, target: Array, high: Any) -> None:
    """Put the first `n` of each of three rows beside one another."""
    low = high - high
    red, green, blue = sums[0][:n], sums[1][:n], sums[2][:n]
    t = target[: 3 * n]
    for i in range(n):
        t[3 * i] = _rounded(red[i], low, high)
        t[3 * i + 1] = _rounded(green[i], low, high)
        t[3 * i + 2] = _rounded(blue[i], low, high)


@compiled
def _weave(sums: Array, n: int, target: Array) -> None:
    red, green, blue = sums[0][:n], sums[1][:n], sums[2][:n]
    t = target[: 3 * n]
    for i in range(n):
        t[3 * i] = red[i]
        t[3 * i + 1] = green[i]
        t[3 * i + 2] = blue[i]


@compiled
def _write(sums: Array, n: int, out: Array, kind: int, first: int, high: Any) -> None:
    """Put `n` pixels into `out`, the bytes of samples of `kind`, from pixel `first` on."""
    begin, end = first * len(sums), (first + n) * len(sums)
    if len(sums) == 1:
        if kind == UINT8:
            _round(sums[0], out[begin:end], high)
        elif kind == UINT16:
            _round(sums[0], out.view(np.uint16)[begin:end], high)
        else:
            _copy(sums[0], out.view(np.float32)[begin:end])
    elif kind == UINT8:
        _weave_rounded(sums, n, out[begin:end], high)
    elif kind == UINT16:
        _weave_rounded(sums, n, out.view(np.uint16)[begin:end], high)
    else:
        _weave(sums, n, out.view(np.float32)[begin:end])


@compiled
def recolour(
    source: Array,
    kind: int,
    weights: Array,
    divisor: Any,
    bias: Array,
    high: Any,
    out: Array,
    out_kind: int,
    counter: Array,
    sums: Array,
) -> None:
    """Make pixels of 1 or 3 channels of the pixels of `source`, PIECE at a time, until `counter` is past the last.

    `source` and `out` are the bytes of all samples, of `kind` and `out_kind`; no float64. `weights` is (outputs, 3);
    `bias` is added to the sums over `divisor`. What is rounded is clipped to 0..high. `sums` (outputs,
    BLOCK) is scratch.
    """
    outputs = len(weights)
    pixels = len(out) // (1 << out_kind) // outputs
    one = high / high
    while True:
        begin = next_piece(counter) * PIECE
        if begin >= pixels:
            break
        for first in range(begin, min(begin + PIECE, pixels), BLOCK):
            n = min(BLOCK, pixels - first)
            for o in range(outputs):
                plane, added = sums[o][:n], bias[o] if divisor == 1 else one - one
                if kind == UINT8:
                    w, at = weights[o], first * CHANNELS
                    # The last vector of all must not read beyond the image.
                    wide = max(0, min(n, (len(source) - at - LOAD) // CHANNELS + LANES)) // LANES * LANES
                    _sum_bytes(source, at, w[0], w[1], w[2], added, plane, wide)
                    _sum(source[at + wide * CHANNELS :], w, added, plane[wide:])
                elif kind == UINT16:
                    _sum(source.view(np.uint16)[first * CHANNELS :], weights[o], added, plane)
                else:
                    _sum(source.view(np.float32)[first * CHANNELS :], weights[o], added, plane)
                if divisor != 1:
                    _divide(plane, divisor, bias[o])
            _write(sums, n, out, out_kind, first, high)


def warm() -> None:
    source, one, few = np.zeros(3, np.uint8), np.float32(1), np.zeros((1, BLOCK), np.float32)
    source.flags.writeable = False
    counter, place = np.zeros(1, np.int64), np.zeros(1, np.uint8)
    recolour(source, KINDS["uint8"], few[:, :3].copy(), one, few[0], one, place, UINT8, counter, few)
