"""Sums over channels: the outputs of a few neighbouring pixels at once, one output in each lane of a vector.

A strip holds some rows of an image, border included, as floats, its channels side by side as they are in the image.
For each sample of a window one vector of weights is loaded, and multiplied with that sample of every pixel; the sums of
all these pixels stay in registers until the window is done. No window is ever laid out: that of the next pixel begins
`step` samples further. Where it has few samples, as in first layers, the weights stay in registers as well. After E.
Georganas et al., "Anatomy of high-performance deep learning convolutions on SIMD architectures" (2018), in the layout
that images have.
"""

# ruff: noqa: ARG001 (the arguments of an intrinsic are found again in what it generates)
from __future__ import annotations

from itertools import product
from typing import Any, NamedTuple

import numpy as np
from numba.core import cgutils, types
from numpy.typing import NDArray

from service.engine.loops.compiler import compiled, intrinsic
from service.engine.loops.lanes import FLOAT32, UINT8, UINT16, VECTOR_BYTES, Lanes, next_piece, prefetch

Array = NDArray[Any]

MANY = 24 if VECTOR_BYTES == 64 else 12
"""Pixels of one vector each whose sums fit into the registers: there are 32 of 64 bytes, or 16 of 32."""
FEW = MANY // 3
"""Pixels at the end of a row, and all of a narrow one."""
RUNS, RUN, BESIDE = 3, 9, 4
"""Windows of 3 x 3 pixels of three channels: 27 vectors of weights and the sums of four pixels are 31 registers."""
WHOLE, HALF, NARROW = range(3)
"""How much of a vector a block of outputs takes; NARROW is a whole one whose windows are RUNS runs of RUN samples."""


class Lines(NamedTuple):
    """How strips are filled: for each padded row and column the one that stands there, or -1 for `value`.

    The whole image stands in `columns` from `first` on. A strip of n rows of output has (n - 1) * `stride` + `taps` of
    the padded rows, every `spacing`-th.
    """

    rows: Array
    columns: Array
    first: int
    channels: int
    value: Any
    stride: int
    spacing: int
    taps: int


class Weights(NamedTuple):
    """Blocks of outputs: their weights, (samples of a window, lanes), one after another in `weights`.

    `offsets` says how far each sample of a window is behind the first. `blocks` (n, 4) has the kind of each block, its
    first channel, first weight and first output. `bias`, of each lane of a pixel, is added to the sums; `divided`, of
    as many pixels as are finished at once, to these over `divisor`.
    """

    weights: Array
    offsets: Array
    blocks: Array
    bias: Array
    divisor: Any
    divided: Array


class Place(NamedTuple):
    """Where the results go: `out` (H', bytes of W' * outputs samples of `kind`), clipped to 0..high if rounded.

    In `sums` the outputs of pixels are `pitch` apart; `straight` says that these can as well be written to `out`, and
    `streams` that they then pass by the caches, where a loop can do that.
    """

    out: Array
    kind: int
    width: int
    outputs: int
    pitch: int
    straight: bool
    high: Any
    streams: bool = False


def lanes_of(context: Any, builder: Any, signature: Any, parts: int = 1) -> Lanes:
    """Give the lanes of a `parts`-th of a vector, of the numbers of the first argument."""
    sample = signature.args[0].dtype
    size = sample.bitwidth // 8
    return Lanes(builder, context.get_value_type(sample), size, VECTOR_BYTES // size // parts)


def _products(pixels: int, parts: int) -> Any:
    """Make the loop over a window for the sums of `pixels` pixels, each in a `parts`-th of a vector register.

    It is written in LLVM's terms, since Python has none for vectors that stay in registers; on processors with shorter
    ones LLVM splits them. "contract" allows multiply-add. One vector for each pixel and not two: the samples then are
    operands in memory, which leaves all registers to the sums.
    """

    @intrinsic
    def products(
        typing: Any,
        strip: Any,
        at: Any,
        step: Any,
        offsets: Any,
        weights: Any,
        first: Any,
        bias: Any,
        lane: Any,
        sums: Any,
        place: Any,
        pitch: Any,
    ) -> Any:
        """Sum windows of `strip`, the first of which begins at `at`, the others `step` further each.

        Lane i of pixel p goes to sums[place + p * pitch + i], plus bias[lane + i].
        """

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            def data(index: int) -> Any:
                return context.make_array(signature.args[index])(context, builder, arguments[index]).data

            lanes, integer = lanes_of(context, builder, signature, parts), cgutils.intp_t
            _, at, step, _, _, first, _, lane, _, place, pitch = arguments
            samples = context.make_array(signature.args[3])(context, builder, arguments[3]).nitems
            totals = [cgutils.alloca_once_value(builder, lanes.zero) for _ in range(pixels)]  # type: ignore[no-untyped-call]
            windows = [builder.gep(data(0), [builder.add(at, builder.mul(step, integer(p)))]) for p in range(pixels)]
            places = [builder.gep(data(8), [builder.add(place, builder.mul(pitch, integer(p)))]) for p in range(pixels)]
            for pointer in places:
                prefetch(builder, pointer, 1, 3)
            weights_at = cgutils.alloca_once_value(builder, builder.gep(data(4), [first]))  # type: ignore[no-untyped-call]
            with cgutils.for_range(builder, samples, intp=integer) as loop:
                factors = lanes.load(builder.load(weights_at), 0)
                offset = builder.load(builder.gep(data(3), [loop.index]))
                for window, total in zip(windows, totals, strict=True):
                    value = lanes.splat(builder.load(builder.gep(window, [offset])))
                    builder.store(lanes.add_product(builder.load(total), value, factors), total)
                builder.store(builder.gep(builder.load(weights_at), [integer(lanes.count)]), weights_at)
            added = lanes.load(builder.gep(data(6), [lane]), 0)
            for pointer, total in zip(places, totals, strict=True):
                lanes.store(builder.fadd(builder.load(total), added), pointer)
            return context.get_dummy_value()

        i = types.intp
        return types.void(strip, i, i, offsets, weights, i, bias, i, sums, i, i), generate

    return products


sum_many, sum_few = _products(MANY, 1), _products(FEW, 1)
_many_half, _few_half = _products(MANY, 2), _products(FEW, 2)


@intrinsic
def _narrow(
    typing: Any,
    strip: Any,
    at: Any,
    step: Any,
    offsets: Any,
    weights: Any,
    first: Any,
    bias: Any,
    lane: Any,
    sums: Any,
    place: Any,
    pitch: Any,
    pixels: Any,
) -> Any:
    """Do as `sum_many` does for `pixels` pixels, a multiple of BESIDE, whose windows are RUNS runs of RUN samples.

    So few weights stay in registers, and what is added to a sum and where is known: that leaves nothing but products.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        def pointer(index: int, *places: Any) -> Any:
            base = context.make_array(signature.args[index])(context, builder, arguments[index]).data
            for place in places:
                base = builder.gep(base, [place])
            return base

        lanes, integer = lanes_of(context, builder, signature), cgutils.intp_t
        _, at, step, _, _, first, _, lane, _, place, pitch, pixels = arguments
        runs = [pointer(0, at, builder.load(pointer(3, integer(RUN * run)))) for run in range(RUNS)]
        factors = [lanes.load(pointer(4, first), tap) for tap in range(RUNS * RUN)]
        added = lanes.load(pointer(6, lane), 0)
        with cgutils.for_range_slice(builder, integer(0), pixels, integer(BESIDE), intp=integer) as (pixel, _):
            starts = [builder.mul(builder.add(pixel, integer(p)), step) for p in range(BESIDE)]
            totals = [lanes.zero] * BESIDE
            for (run, tap), (p, start) in product(product(range(RUNS), range(RUN)), enumerate(starts)):
                value = builder.load(builder.gep(builder.gep(runs[run], [start]), [integer(tap)]))
                totals[p] = lanes.add_product(totals[p], lanes.splat(value), factors[RUN * run + tap])
            for p, total in enumerate(totals):
                target = pointer(8, place, builder.mul(builder.add(pixel, integer(p)), pitch))
                lanes.store(builder.fadd(total, added), target)
        return context.get_dummy_value()

    i = types.intp
    return types.void(strip, i, i, offsets, weights, i, bias, i, sums, i, i, i), generate


@compiled
def _copy(source: Array, target: Array) -> None:
    s = source[: len(target)]
    for i in range(len(target)):
        target[i] = s[i]


@compiled
def _read(line: Array, kind: int, numbers: Array) -> None:
    if kind == UINT8:
        _copy(line, numbers)
    elif kind == UINT16:
        _copy(line.view(np.uint16), numbers)
    elif kind == FLOAT32:
        _copy(line.view(np.float32), numbers)
    else:
        _copy(line.view(np.float64), numbers)


@compiled
def lay(source: Array, kind: int, lines: Lines, row: int, target: Array) -> None:
    """Fill `target` with padded row `row`."""
    channels, columns, first = lines.channels, lines.columns, lines.first
    if lines.rows[row] < 0:
        target[: len(columns) * channels] = lines.value
        return
    width = source.shape[1] // (1 << kind) // channels
    inner = target[first * channels : (first + width) * channels]
    _read(source[lines.rows[row]], kind, inner)
    for k in range(len(columns) - width):
        x = k if k < first else k + width
        pixel = target[x * channels : (x + 1) * channels]
        if columns[x] < 0:
            pixel[:] = lines.value
        else:
            _copy(inner[columns[x] * channels : (columns[x] + 1) * channels], pixel)


@compiled
def _divide(numbers: Array, divisor: Any, bias: Array) -> None:
    b = bias[: len(numbers)]
    for i in range(len(numbers)):
        numbers[i] = numbers[i] / divisor + b[i]


@compiled
def _round(numbers: Array, target: Array, high: Any) -> None:
    low = high - high
    n = numbers[: len(target)]
    for i in range(len(target)):
        number = n[i]
        # Conditions, not min and max: these have a rule for NaN, which takes time. Here it becomes 0.
        number = number if number > low else low  # noqa: FURB136
        number = number if number < high else high  # noqa: FURB136
        target[i] = np.rint(number)


@compiled
def _write(numbers: Array, line: Array, kind: int, first: int, high: Any) -> None:
    """Put `numbers` into `line`, the bytes of samples of `kind`, from sample `first` on."""
    end = first + len(numbers)
    if kind == UINT8:
        _round(numbers, line[first:end], high)
    elif kind == UINT16:
        _round(numbers, line.view(np.uint16)[first:end], high)
    elif kind == FLOAT32:
        _copy(numbers, line.view(np.float32)[first:end])
    else:
        _copy(numbers, line.view(np.float64)[first:end])


@compiled
def store(sums: Array, weights: Weights, place: Place, y: int, x: int, pixels: int) -> None:
    """Finish the sums of `pixels` pixels and store them from column `x` of row `y` on."""
    outputs, pitch = place.outputs, place.pitch
    if weights.divisor != 1:
        _divide(sums[: pixels * pitch], weights.divisor, weights.divided)
    if pitch == outputs:
        _write(sums[: pixels * pitch], place.out[y], place.kind, x * outputs, place.high)
        return
    for p in range(pixels):
        _write(sums[p * pitch : p * pitch + outputs], place.out[y], place.kind, (x + p) * outputs, place.high)


@compiled
def mix(
    source: Array,
    kind: int,
    lines: Lines,
    step: int,
    weights: Weights,
    place: Place,
    strips: int,
    counter: Array,
    strip: Array,
    sums: Array,
) -> None:
    """Compute strips of rows of the output until `counter` has come to `strips`.

    `source` is (H, bytes of W * channels samples of `kind`); windows of neighbouring pixels are `step` samples apart.
    `strip` (rows, samples of a padded row) and `sums` are scratch. A strip must be followed by as many samples as the
    windows of FEW pixels beyond its last row reach over.
    """
    rows, pitch = len(place.out), strip.shape[1]
    flat = strip.reshape(-1)
    straight = place.out.reshape(-1).view(strip.dtype) if place.straight else sums
    line = place.width * place.outputs
    blocks, offsets, apart = weights.blocks, weights.offsets, place.pitch
    w, bias, narrow = weights.weights, weights.bias, blocks[:, 0].min() == NARROW
    while True:
        piece = next_piece(counter)
        if piece >= strips:
            break
        begin, end = rows * piece // strips, rows * (piece + 1) // strips
        for r in range((end - begin - 1) * lines.stride + lines.taps):
            lay(source, kind, lines, begin * lines.stride + r * lines.spacing, strip[r])
        for y in range(begin, end):
            at = (y - begin) * lines.stride * pitch
            x = 0
            while x < place.width:
                many = x + MANY <= place.width
                pixels = MANY if many else FEW
                if narrow and place.straight and many:
                    pixels = (place.width - x) // FEW * FEW
                x = max(0, min(x, place.width - pixels))
                whole = place.straight and pixels <= place.width
                target, first = (straight, y * line + x * place.outputs) if whole else (sums, 0)
                # All of it stands here, where it is compiled once: as a function it would be twice.
                for b in range(len(blocks)):
                    block = blocks[b]
                    t, k, lane = at + x * step + block[1], block[2], block[3]
                    if block[0] == NARROW:
                        _narrow(flat, t, step, offsets, w, k, bias, lane, target, first + lane, apart, pixels)
                    elif block[0] == WHOLE and many:
                        sum_many(flat, t, step, offsets, w, k, bias, lane, target, first + lane, apart)
                    elif block[0] == WHOLE:
                        sum_few(flat, t, step, offsets, w, k, bias, lane, target, first + lane, apart)
                    elif many:
                        _many_half(flat, t, step, offsets, w, k, bias, lane, target, first + lane, apart)
                    else:
                        _few_half(flat, t, step, offsets, w, k, bias, lane, target, first + lane, apart)
                if not whole:
                    store(sums, weights, place, y, x, min(pixels, place.width))
                x += pixels


def smallest(number: type[np.floating[Any]]) -> tuple[Array, Lines, Weights, Place, Array]:
    """Give the least that a loop takes to be compiled for: a source, lines, weights, a place, and scratch."""
    source, out, nowhere = np.zeros((1, 8), np.uint8), np.zeros((1, 1), np.uint8), np.zeros(1, np.intp)
    source.flags.writeable = False
    lanes, one = VECTOR_BYTES // np.dtype(number).itemsize // 2, number(1)
    numbers, blocks = np.zeros(MANY * lanes, number), np.array([[HALF, 0, 0, 0]])
    lines = Lines(nowhere, nowhere, 0, 1, number(0), 1, 1, 1)
    weights = Weights(numbers, np.zeros(1, np.int64), blocks, numbers, one, numbers)
    return source, lines, weights, Place(out, UINT8, 1, 1, lanes, straight=False, high=one), numbers


def compile_for(number: type[np.floating[Any]]) -> None:
    """Call the loop with sums of type `number`."""
    source, lines, weights, place, sums = smallest(number)
    mix(source, UINT8, lines, 1, weights, place, 1, np.zeros(1, np.int64), np.zeros((1, MANY), number), sums)
