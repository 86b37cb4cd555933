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
from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils, types
from numpy.typing import NDArray

from service.engine.loops.compiler import compiled, intrinsic
from service.engine.loops.lanes import FLOAT32, UINT8, UINT16, VECTOR_BYTES, next_piece, prefetch

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

    In `sums` the outputs of pixels are `pitch` apart; `straight` says that these can as well be written to `out`.
    """

    out: Array
    kind: int
    width: int
    outputs: int
    pitch: int
    straight: bool
    high: Any


@intrinsic
def _fetch(typing: Any, line: Any, at: Any) -> Any:
    """Bring line[at] into the second-level cache."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        prefetch(builder, builder.gep(data, [arguments[1]]), 0, 2)
        return context.get_dummy_value()

    return types.void(line, types.intp), generate


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

            def vector(pointer: Any) -> Any:
                return builder.bitcast(pointer, kind.as_pointer())

            def loaded(pointer: Any) -> Any:
                value = builder.load(vector(pointer))
                value.align = size
                return value

            def spread(number: Any) -> Any:
                lowest = builder.insert_element(undefined, number, cgutils.int32_t(0))
                return builder.shuffle_vector(
                    lowest, undefined, ir.Constant(ir.VectorType(cgutils.int32_t, lanes), None)
                )

            sample = signature.args[0].dtype
            number, size = context.get_value_type(sample), sample.bitwidth // 8
            lanes = VECTOR_BYTES // size // parts
            kind, integer = ir.VectorType(number, lanes), cgutils.intp_t
            undefined = ir.Constant(kind, ir.Undefined)
            _, at, step, _, _, first, _, lane, _, place, pitch = arguments
            samples = context.make_array(signature.args[3])(context, builder, arguments[3]).nitems
            zeros = ir.Constant(kind, None)
            totals = [cgutils.alloca_once_value(builder, zeros) for _ in range(pixels)]  # type: ignore[no-untyped-call]
            windows = [builder.gep(data(0), [builder.add(at, builder.mul(step, integer(p)))]) for p in range(pixels)]
            places = [builder.gep(data(8), [builder.add(place, builder.mul(pitch, integer(p)))]) for p in range(pixels)]
            for pointer in places:
                prefetch(builder, pointer, 1, 3)
            weights_at = cgutils.alloca_once_value(builder, builder.gep(data(4), [first]))  # type: ignore[no-untyped-call]
            with cgutils.for_range(builder, samples, intp=integer) as loop:
                factors = loaded(builder.load(weights_at))
                offset = builder.load(builder.gep(data(3), [loop.index]))
                for window, total in zip(windows, totals, strict=True):
                    value = spread(builder.load(builder.gep(window, [offset])))
                    product = builder.fmul(value, factors, flags=["contract"])
                    builder.store(builder.fadd(product, builder.load(total), flags=["contract"]), total)
                builder.store(builder.gep(builder.load(weights_at), [integer(lanes)]), weights_at)
            added = loaded(builder.gep(data(6), [lane]))
            for pointer, total in zip(places, totals, strict=True):
                builder.store(builder.fadd(builder.load(total), added), vector(pointer)).align = size
            return context.get_dummy_value()

        i = types.intp
        return types.void(strip, i, i, offsets, weights, i, bias, i, sums, i, i), generate

    return products


_many, _few = _products(MANY, 1), _products(FEW, 1)
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
    """Do as `_many` does for `pixels` pixels, a multiple of BESIDE, whose windows are RUNS runs of RUN samples.

    So few weights stay in registers, and what is added to a sum and where is known: that leaves nothing but products.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        def pointer(index: int, *places: Any) -> Any:
            base = context.make_array(signature.args[index])(context, builder, arguments[index]).data
            for place in places:
                base = builder.gep(base, [place])
            return base

        def vector(address: Any) -> Any:
            return builder.bitcast(address, kind.as_pointer())

        def loaded(address: Any) -> Any:
            return builder.load(vector(address), align=size)

        def spread(number: Any) -> Any:
            lowest = builder.insert_element(undefined, number, cgutils.int32_t(0))
            return builder.shuffle_vector(lowest, undefined, ir.Constant(ir.VectorType(cgutils.int32_t, lanes), None))

        sample = signature.args[0].dtype
        number, size = context.get_value_type(sample), sample.bitwidth // 8
        lanes, integer = VECTOR_BYTES // size, cgutils.intp_t
        kind = ir.VectorType(number, lanes)
        undefined = ir.Constant(kind, ir.Undefined)
        _, at, step, _, _, first, _, lane, _, place, pitch, pixels = arguments
        runs = [pointer(0, at, builder.load(pointer(3, integer(RUN * run)))) for run in range(RUNS)]
        factors = [loaded(pointer(4, first, integer(lanes * tap))) for tap in range(RUNS * RUN)]
        added = loaded(pointer(6, lane))
        with cgutils.for_range_slice(builder, integer(0), pixels, integer(BESIDE), intp=integer) as (pixel, _):
            starts = [builder.mul(builder.add(pixel, integer(p)), step) for p in range(BESIDE)]
            totals: list[Any] = [None] * BESIDE
            for (run, tap), (p, start) in product(product(range(RUNS), range(RUN)), enumerate(starts)):
                value = builder.load(builder.gep(builder.gep(runs[run], [start]), [integer(tap)]))
                scaled = builder.fmul(spread(value), factors[RUN * run + tap], flags=["contract"])
                totals[p] = builder.fadd(scaled, totals[p], flags=["contract"]) if totals[p] else scaled
            for p, total in enumerate(totals):
                target = pointer(8, place, builder.mul(builder.add(pixel, integer(p)), pitch))
                builder.store(builder.fadd(total, added), vector(target), align=size)
        return context.get_dummy_value()

    i = types.intp
    return types.void(strip, i, i, offsets, weights, i, bias, i, sums, i, i, i), generate


def _tile(rows: int, transform: Any) -> Any:
    """Make a loop that takes 4 x 4 vectors from one array and puts rows x rows into another, as `transform` says."""

    @intrinsic
    def tile(
        typing: Any,
        source: Any,
        at: Any,
        down: Any,
        across: Any,
        count: Any,
        bias: Any,
        target: Any,
        place: Any,
        under: Any,
        beside: Any,
    ) -> Any:
        """Transform `count` tiles at once, a number of each in each lane; `count` is a multiple of the lanes.

        Row i, column j is at source[at + i * down + j * across] and goes to target[place + i * under + j * beside],
        plus `bias`.
        """

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            def pointer(index: int, first: Any, vertical: Any, horizontal: Any, i: int, j: int) -> Any:
                data = context.make_array(signature.args[index])(context, builder, arguments[index]).data
                steps = builder.add(builder.mul(vertical, integer(i)), builder.mul(horizontal, integer(j)))
                return builder.gep(data, [builder.add(first, steps)])

            def vector(address: Any, lane: Any) -> Any:
                return builder.bitcast(builder.gep(address, [lane]), kind.as_pointer())

            def loaded(address: Any, lane: Any) -> Any:
                value = builder.load(vector(address, lane))
                value.align = size
                return value

            sample = signature.args[0].dtype
            number, size = context.get_value_type(sample), sample.bitwidth // 8
            lanes = VECTOR_BYTES // size
            kind, integer = ir.VectorType(number, lanes), cgutils.intp_t
            _, at, down, across, count, _, _, place, under, beside = arguments
            nothing = integer(0)
            sources = [[pointer(0, at, down, across, i, j) for j in range(4)] for i in range(4)]
            targets = [[pointer(6, place, under, beside, i, j) for j in range(rows)] for i in range(rows)]
            biases = pointer(5, nothing, nothing, nothing, 0, 0)
            with cgutils.for_range_slice(builder, nothing, count, integer(lanes), intp=integer) as (lane, _):
                columns = [transform(builder, [loaded(sources[i][j], lane) for i in range(4)]) for j in range(4)]
                added = loaded(biases, lane)
                for i in range(rows):
                    for j, value in enumerate(transform(builder, [column[i] for column in columns])):
                        result = builder.fadd(value, added) if rows < 4 else value
                        builder.store(result, vector(targets[i][j], lane)).align = size
            return context.get_dummy_value()

        i = types.intp
        return types.void(source, i, i, i, i, bias, target, i, i, i), generate

    return tile


def _analysed(builder: Any, d: list[Any]) -> list[Any]:
    add, subtract = builder.fadd, builder.fsub
    return [subtract(d[0], d[2]), add(d[1], d[2]), subtract(d[2], d[1]), subtract(d[1], d[3])]


def _synthesised(builder: Any, m: list[Any]) -> list[Any]:
    add, subtract = builder.fadd, builder.fsub
    return [add(add(m[0], m[1]), m[2]), subtract(subtract(m[1], m[2]), m[3])]


_analyse, _synthesise = _tile(4, _analysed), _tile(2, _synthesised)


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
def _lay(source: Array, kind: int, lines: Lines, row: int, target: Array) -> None:
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
def _store(sums: Array, weights: Weights, place: Place, y: int, x: int, pixels: int) -> None:
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
            _lay(source, kind, lines, begin * lines.stride + r * lines.spacing, strip[r])
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
                        _many(flat, t, step, offsets, w, k, bias, lane, target, first + lane, apart)
                    elif block[0] == WHOLE:
                        _few(flat, t, step, offsets, w, k, bias, lane, target, first + lane, apart)
                    elif many:
                        _many_half(flat, t, step, offsets, w, k, bias, lane, target, first + lane, apart)
                    else:
                        _few_half(flat, t, step, offsets, w, k, bias, lane, target, first + lane, apart)
                if not whole:
                    _store(sums, weights, place, y, x, min(pixels, place.width))
                x += pixels


@compiled
def mix_tiles(
    source: Array,
    kind: int,
    lines: Lines,
    weights: Weights,
    nothing: Array,
    place: Place,
    strips: int,
    counter: Array,
    strip: Array,
    spectra: Array,
    products: Array,
    sums: Array,
) -> None:
    """Compute windows of 3 x 3 by tiles of 2 x 2 results, which take 16 products for each channel instead of 36.

    After A. Lavin and S. Gray, "Fast algorithms for convolutional neural networks" (2016), F(2x2, 3x3). `weights` are
    those of each of the 16 places of a tile, one after another; `nothing` is as many zeros as there are outputs. Rows
    of tiles are cut into strips as the rows of `mix` are. `spectra` (16, at least MANY * channels), `products` (16, at
    least MANY * outputs) and `sums` (2, 2 * MANY * outputs) are scratch. All else is as for `mix`.
    """
    height, pitch, channels, outputs = len(place.out), strip.shape[1], lines.channels, place.outputs
    rows, tiles = (height + 1) // 2, (place.width + 1) // 2
    flat, analysed, mixed, results = strip.reshape(-1), spectra.reshape(-1), products.reshape(-1), sums.reshape(-1)
    straight = place.out.reshape(-1).view(strip.dtype) if place.straight else results
    blocks, size = weights.blocks, len(weights.weights) // 16
    apart, beside, bytes_each = spectra.shape[1], products.shape[1], 1 << place.kind
    while True:
        piece = next_piece(counter)
        if piece >= strips:
            break
        begin, end = rows * piece // strips, rows * (piece + 1) // strips
        for r in range((end - begin - 1) * lines.stride + lines.taps):
            _lay(source, kind, lines, begin * lines.stride + r, strip[r])
        for y in range(begin, end):
            for first in range(0, tiles, MANY):
                count = min(MANY, tiles - first)
                for t in range(count):
                    at = (y - begin) * lines.stride * pitch + 2 * (first + t) * channels
                    _analyse(flat, at, pitch, channels, channels, nothing, analysed, t * channels, 4 * apart, apart)
                pixels, last = min(2 * count, place.width - 2 * first), min(2, height - 2 * y)
                line, lines_of_part = 2 * first * outputs * bytes_each, pixels * outputs * bytes_each // 16 // 64 + 1
                for part in range(16):
                    for i in range(last):
                        for k in range(lines_of_part * part, lines_of_part * (part + 1)):
                            _fetch(place.out[2 * y + i], line + 64 * k)
                    x, at = part * apart, part * beside
                    for b in range(len(blocks)):
                        k, lane = part * size + blocks[b, 2], blocks[b, 3]
                        if count > 2 * FEW:
                            _many(
                                analysed, x, channels, weights.offsets, weights.weights, k,
                                nothing, lane, mixed, at + lane, outputs,
                            )  # fmt: skip
                        else:
                            for t in range(0, count, FEW):
                                _few(
                                    analysed, x + t * channels, channels, weights.offsets, weights.weights, k,
                                    nothing, lane, mixed, at + t * outputs + lane, outputs,
                                )  # fmt: skip
                whole = place.straight and last == 2 and pixels == 2 * count
                target, under = (straight, place.width * outputs) if whole else (results, sums.shape[1])
                x = 2 * (y * under + first * outputs) if whole else 0
                for t in range(count):
                    _synthesise(
                        mixed, t * outputs, 4 * beside, beside, outputs, weights.bias,
                        target, x + 2 * t * outputs, under, outputs,
                    )  # fmt: skip
                for i in range(0 if whole else last):
                    _store(sums[i], weights, place, 2 * y + i, 2 * first, pixels)


def warm() -> None:
    """Compile for both types of sums."""
    source, out, nowhere = np.zeros((1, 8), np.uint8), np.zeros((1, 1), np.uint8), np.zeros(1, np.intp)
    source.flags.writeable = False
    for number in (np.float32, np.float64):
        lanes, one = VECTOR_BYTES // np.dtype(number).itemsize // 2, number(1)
        many, blocks = np.zeros(MANY * lanes, number), np.array([[HALF, 0, 0, 0]])
        lines = Lines(nowhere, nowhere, 0, 1, number(0), 1, 1, 1)
        weights = Weights(many, np.zeros(1, np.int64), blocks, many, one, many)
        place = Place(out, UINT8, 1, 1, lanes, straight=False, high=one)
        mix(source, UINT8, lines, 1, weights, place, 1, np.zeros(1, np.int64), np.zeros((1, MANY), number), many)
        scratch = np.zeros((16, MANY * 2 * lanes), number)
        counter = np.zeros(1, np.int64)
        mix_tiles(source, UINT8, lines, weights, many, place, 0, counter, scratch, scratch, scratch, scratch)
