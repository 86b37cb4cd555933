"""Fourier transforms of columns side by side, each in a lane of vectors of its own.

A row of a block is a vector of real parts and one of imaginary parts, ROW numbers together. Forwards the passes leave
frequencies in an order of their own (decimation in frequency, W. M. Gentleman and G. Sande, "Fast Fourier transforms:
for fun and profit", 1966), and backwards they start from it (decimation in time): what lies between only multiplies, so
that nothing is ever sorted. Backwards is forwards with real and imaginary parts exchanged.
"""

# ruff: noqa: ARG001 (the arguments of an intrinsic are found again in what it generates)
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import types
from numpy.typing import NDArray

from service.engine.loops.compiler import compiled, intrinsic
from service.engine.loops.lanes import VECTOR_BYTES, Lanes

Array = NDArray[Any]
Complex = tuple[Any, Any]

LANES = VECTOR_BYTES // 4
ROW = 2 * LANES
FORWARDS, BACKWARDS = np.int64(0), np.int64(1)
"""Not as plain integers: for each of these a loop would be compiled anew."""

_INT32, _INT64 = ir.IntType(32), ir.IntType(64)
_CONTRACT = ("contract",)
_HALF_ROOT, _HALF_ROOT_OF_3 = 0.5**0.5, 0.75**0.5


class Axis(NamedTuple):
    """A transform of `length` rows in passes of `radices` 3, 4 and 8; `twiddles` are those of all passes but the last.

    They stand as they are met: for each pass, for each row of a part, for each part but the first (cos, -sin).
    """

    length: int
    radices: Array
    twiddles: Array


class _Block:
    """Writes code for complex vectors, pairs of real ones."""

    def __init__(self, builder: Any, number: Any) -> None:
        self.builder = builder
        self.lanes = Lanes(builder, number, 4, LANES)

    def load(self, data: Any, at: Any) -> Any:
        return self.lanes.load(self.builder.gep(data, [at]), 0)

    def store(self, value: Any, data: Any, at: Any) -> None:
        self.lanes.store(value, self.builder.gep(data, [at]))

    def constant(self, value: float) -> Any:
        return ir.Constant(self.lanes.vector, [value] * LANES)

    def plus(self, x: Complex, y: Complex) -> Complex:
        return self.builder.fadd(x[0], y[0]), self.builder.fadd(x[1], y[1])

    def minus(self, x: Complex, y: Complex) -> Complex:
        return self.builder.fsub(x[0], y[0]), self.builder.fsub(x[1], y[1])

    def minus_i(self, x: Complex, y: Complex) -> Complex:
        """Give x - i y."""
        return self.builder.fadd(x[0], y[1]), self.builder.fsub(x[1], y[0])

    def plus_i(self, x: Complex, y: Complex) -> Complex:
        return self.builder.fsub(x[0], y[1]), self.builder.fadd(x[1], y[0])

    def add_scaled(self, x: Complex, y: Complex, real: float, imaginary: float | None = None) -> Complex:
        """Add to x the parts of y, each times its constant."""
        scales = self.constant(real), self.constant(real if imaginary is None else imaginary)
        first, second = (self.lanes.add_product(*parts) for parts in zip(x, y, scales, strict=True))
        return first, second

    def times(self, x: Complex, y: Complex) -> Complex:
        builder = self.builder
        crossed = builder.fmul(x[1], y[1], flags=_CONTRACT)
        real = builder.fsub(builder.fmul(x[0], y[0], flags=_CONTRACT), crossed, flags=_CONTRACT)
        return real, self.lanes.add_product(builder.fmul(x[1], y[0], flags=_CONTRACT), x[0], y[1])


def _of_three(block: _Block, x: Sequence[Complex]) -> list[Complex]:
    both, difference = block.plus(x[1], x[2]), block.minus(x[1], x[2])
    middle = block.add_scaled(x[0], both, -0.5)
    turned = difference[1], difference[0]
    return [
        block.plus(x[0], both),
        block.add_scaled(middle, turned, _HALF_ROOT_OF_3, -_HALF_ROOT_OF_3),
        block.add_scaled(middle, turned, -_HALF_ROOT_OF_3, _HALF_ROOT_OF_3),
    ]


def _of_four(block: _Block, x: Sequence[Complex]) -> list[Complex]:
    even, even_difference = block.plus(x[0], x[2]), block.minus(x[0], x[2])
    odd, odd_difference = block.plus(x[1], x[3]), block.minus(x[1], x[3])
    return [
        block.plus(even, odd),
        block.minus_i(even_difference, odd_difference),
        block.minus(even, odd),
        block.plus_i(even_difference, odd_difference),
    ]


def _of_eight(block: _Block, x: Sequence[Complex]) -> list[Complex]:
    builder = block.builder
    even, odd = _of_four(block, x[::2]), _of_four(block, x[1::2])
    # odd times exp(-i pi / 4) and exp(-3 i pi / 4), but for the root that the sums below multiply with.
    first = builder.fadd(odd[1][0], odd[1][1]), builder.fsub(odd[1][1], odd[1][0])
    third = builder.fsub(odd[3][1], odd[3][0]), builder.fadd(odd[3][0], odd[3][1])
    return [
        block.plus(even[0], odd[0]),
        block.add_scaled(even[1], first, _HALF_ROOT),
        block.minus_i(even[2], odd[2]),
        block.add_scaled(even[3], third, _HALF_ROOT, -_HALF_ROOT),
        block.minus(even[0], odd[0]),
        block.add_scaled(even[1], first, -_HALF_ROOT),
        block.plus_i(even[2], odd[2]),
        block.add_scaled(even[3], third, -_HALF_ROOT, _HALF_ROOT),
    ]


_SHORT = {3: _of_three, 4: _of_four, 8: _of_eight}
_PLAIN, _TURN_AFTER, _TURN_BEFORE, _FILTER = range(4)


def _butterfly(radix: int, kind: int) -> Callable[..., Any]:
    """Make the intrinsic that transforms `radix` rows in place.

    They are multiplied with `radix` - 1 numbers of a table after or before it, or with as many rows of a spectrum and
    transformed back.
    """

    @intrinsic
    def butterfly(typing: Any, data: Any, real: Any, imaginary: Any, step: Any, table: Any, first: Any) -> Any:
        """Transform rows of `data`, `step` numbers apart, whose parts begin at `real` and at `imaginary`."""
        integer = types.intp

        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            def of(index: int) -> Any:
                return context.make_array(signature.args[index])(context, builder, values[index]).data

            def factor(row: int) -> Complex:
                place = builder.gep(factors, [builder.add(first, _INT64(2 * (row - 1)))])
                parts = builder.load(place), builder.load(builder.gep(place, [_INT64(1)]))
                return block.lanes.splat(parts[0]), block.lanes.splat(parts[1])

            def spectral(row: int) -> Complex:
                place = builder.add(first, _INT64(ROW * row))
                return block.load(factors, place), block.load(factors, builder.add(place, _INT64(LANES)))

            block = _Block(builder, context.get_value_type(signature.args[0].dtype))
            rows, factors = of(0), of(4)
            _, real, imaginary, step, _, first = values
            steps = [builder.mul(step, _INT64(row)) for row in range(radix)]
            places = [(builder.add(real, apart), builder.add(imaginary, apart)) for apart in steps]
            x = [(block.load(rows, re), block.load(rows, im)) for re, im in places]
            if kind == _TURN_BEFORE:
                x[1:] = [block.times(x[row], factor(row)) for row in range(1, radix)]
            y = _SHORT[radix](block, x)
            if kind == _TURN_AFTER:
                y[1:] = [block.times(y[row], factor(row)) for row in range(1, radix)]
            if kind == _FILTER:
                products = [block.times(y[row], spectral(row)) for row in range(radix)]
                y = [(re, im) for im, re in _SHORT[radix](block, [(im, re) for re, im in products])]
            for parts, place in zip(y, places, strict=True):
                for part, at in zip(parts, place, strict=True):
                    block.store(part, rows, at)
            return context.get_dummy_value()

        return types.void(data, integer, integer, integer, table, integer), generate

    return butterfly


_plain_3, _plain_4, _plain_8 = (_butterfly(radix, _PLAIN) for radix in _SHORT)
_after_3, _after_4, _after_8 = (_butterfly(radix, _TURN_AFTER) for radix in _SHORT)
_before_3, _before_4, _before_8 = (_butterfly(radix, _TURN_BEFORE) for radix in _SHORT)
_filter_3, _filter_4, _filter_8 = (_butterfly(radix, _FILTER) for radix in _SHORT)


@compiled
def forward(data: Array, axis: Axis) -> None:
    """Do all passes but the last on the rows of `data`."""
    part, twiddle = axis.length, 0
    for i in range(len(axis.radices) - 1):
        radix = axis.radices[i]
        rows = part // radix
        apart = rows * ROW
        for begin in range(0, axis.length, part):
            for row in range(rows):
                real, place = (begin + row) * ROW, twiddle + 2 * (radix - 1) * row
                if radix == 8:
                    _after_8(data, real, real + LANES, apart, axis.twiddles, place)
                elif radix == 4:
                    _after_4(data, real, real + LANES, apart, axis.twiddles, place)
                else:
                    _after_3(data, real, real + LANES, apart, axis.twiddles, place)
        twiddle += 2 * (radix - 1) * rows
        part = rows


@compiled
def backward(data: Array, axis: Axis) -> None:
    """Do all passes but the first on the way back, which leaves `length` times what there was."""
    rows, twiddle = axis.radices[-1], len(axis.twiddles)
    for i in range(len(axis.radices) - 2, -1, -1):
        radix = axis.radices[i]
        part = rows * radix
        apart = rows * ROW
        twiddle -= 2 * (radix - 1) * rows
        for begin in range(0, axis.length, part):
            for row in range(rows):
                real, place = (begin + row) * ROW, twiddle + 2 * (radix - 1) * row
                if radix == 8:
                    _before_8(data, real + LANES, real, apart, axis.twiddles, place)
                elif radix == 4:
                    _before_4(data, real + LANES, real, apart, axis.twiddles, place)
                else:
                    _before_3(data, real + LANES, real, apart, axis.twiddles, place)
        rows = part


@compiled
def innermost(data: Array, axis: Axis, way: Any) -> None:
    """Do the last pass FORWARDS, which is the first one BACKWARDS."""
    radix, real, imaginary = axis.radices[-1], way * LANES, (1 - way) * LANES
    for _ in range(0, axis.length, radix):
        if radix == 8:
            _plain_8(data, real, imaginary, ROW, axis.twiddles, 0)
        elif radix == 4:
            _plain_4(data, real, imaginary, ROW, axis.twiddles, 0)
        else:
            _plain_3(data, real, imaginary, ROW, axis.twiddles, 0)
        real += radix * ROW
        imaginary += radix * ROW


@compiled
def filtered(data: Array, axis: Axis, spectrum: Array) -> None:
    """Do the last pass forwards, multiply by the rows of `spectrum`, and do the first pass backwards."""
    radix = axis.radices[-1]
    for row in range(0, axis.length, radix):
        real = row * ROW
        if radix == 8:
            _filter_8(data, real, real + LANES, ROW, spectrum, real)
        elif radix == 4:
            _filter_4(data, real, real + LANES, ROW, spectrum, real)
        else:
            _filter_3(data, real, real + LANES, ROW, spectrum, real)


@intrinsic
def multiply_row(typing: Any, data: Any, at: Any, spectrum: Any, first: Any, sums: Any, place: Any, before: Any) -> Any:
    """Put a row of `data` times one of `spectrum` into `sums`, added to `before` (0 or 1) times what is there."""
    integer = types.intp

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        def row(index: int) -> Complex:
            array = context.make_array(signature.args[index])(context, builder, values[index]).data
            at = values[index + 1]
            return block.load(array, at), block.load(array, builder.add(at, _INT64(LANES)))

        block = _Block(builder, context.get_value_type(signature.args[0].dtype))
        product, former = block.times(row(0), row(2)), row(4)
        again = builder.icmp_signed("!=", values[6], _INT64(0))
        sums = context.make_array(signature.args[4])(context, builder, values[4]).data
        for number, (part, old) in enumerate(zip(product, former, strict=True)):
            total = builder.fadd(part, builder.select(again, old, block.lanes.zero))
            block.store(total, sums, builder.add(values[5], _INT64(number * LANES)))
        return context.get_dummy_value()

    return types.void(data, integer, spectrum, integer, sums, integer, integer), generate


def _transposing(*, scattered: bool) -> Callable[..., Any]:
    """Make the intrinsic that exchanges rows and lanes of LANES rows, which come from or go to places of a table."""

    @intrinsic
    def transposing(typing: Any, source: Any, at: Any, target: Any, place: Any, places: Any, first: Any) -> Any:
        integer = types.intp

        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            def of(index: int) -> Any:
                return context.make_array(signature.args[index])(context, builder, values[index]).data

            def beside(base: Any, part: int) -> list[Any]:
                return [builder.add(base, _INT64(row * ROW + part * LANES)) for row in range(LANES)]

            def listed(base: Any, part: int) -> list[Any]:
                table = builder.gep(of(4), [values[5]])
                offsets = [builder.load(builder.gep(table, [_INT64(row)])) for row in range(LANES)]
                return [builder.add(builder.add(base, _INT64(part * LANES)), offset) for offset in offsets]

            block = _Block(builder, context.get_value_type(signature.args[0].dtype))
            sources, targets = (beside, listed) if scattered else (listed, beside)
            for part in range(2):
                rows = [block.load(of(0), x) for x in sources(values[1], part)]
                for x, row in zip(targets(values[3], part), transposed(builder, [[row] for row in rows]), strict=True):
                    block.store(row, of(2), x)
            return context.get_dummy_value()

        return types.void(source, integer, target, integer, places, integer), generate

    return transposing


scatter_transposed = _transposing(scattered=True)
"""(source, at, target, place, places, first): lane j of the rows from `at` on goes to `place` + places[`first` + j]."""
gather_transposed = _transposing(scattered=False)
"""The other way: what becomes lane j of the rows from `place` on stands at `at` + places[`first` + j]."""


def transposed(builder: Any, rows: list[list[Any]]) -> list[Any]:
    """Transpose a matrix of 2**n rows, each in a few vectors: interleave rows half of it apart until one is left."""
    while len(rows) > 1:
        half = len(rows) // 2
        rows = [
            [part for x, y in zip(*pair, strict=True) for part in _interleaved(builder, x, y)]
            for pair in zip(rows[:half], rows[half:], strict=True)
        ]
    return rows[0]


def _interleaved(builder: Any, x: Any, y: Any) -> list[Any]:
    count = x.type.count
    order = [number for pair in zip(range(count), range(count, 2 * count), strict=True) for number in pair]
    size = {8: 1, 16: 2}.get(getattr(x.type.element, "width", 0)) or (4 if x.type.element == ir.FloatType() else 8)
    if 2 * count * size <= VECTOR_BYTES:
        return [_shuffled(builder, x, y, order)]
    return [_shuffled(builder, x, y, order[:count]), _shuffled(builder, x, y, order[count:])]


def _shuffled(builder: Any, x: Any, y: Any, order: list[int]) -> Any:
    return builder.shuffle_vector(x, y, ir.Constant(ir.VectorType(_INT32, len(order)), order))
