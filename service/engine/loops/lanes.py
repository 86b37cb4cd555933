"""What numba's Python cannot say, and loops are written with: vectors, samples of several kinds, a shared counter.

All is LLVM's intermediate code, in vectors that LLVM cuts down to those of the machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils

from service.engine.loops.compiler import LEVEL, intrinsic

VECTOR_BYTES = 64 if LEVEL == "x86-64-v4" else 32

UINT8, UINT16, FLOAT32, FLOAT64, AS_SUMMED = range(5)
"""Kinds of samples, the first four of 1, 2, 4 and 8 bytes; AS_SUMMED stores the sums and nothing else."""
KINDS = {"uint8": UINT8, "uint16": UINT16, "float32": FLOAT32, "float64": FLOAT64}
"""Images come and go as bytes: a loop that knows all kinds is compiled once, which takes long enough."""

SAMPLES = (ir.IntType(8), ir.IntType(16), ir.FloatType(), ir.DoubleType())
"""By kind: how LLVM calls them."""

_INT32, _INT64 = ir.IntType(32), ir.IntType(64)
_CONTRACT = ("contract",)
FOUR = 4
_PACKS = {
    count: name
    for count, name, levels in (
        (16, "avx512.{}.512", ("x86-64-v4",)),
        (8, "avx2.{}", ("x86-64-v3", "x86-64-v4")),
        (4, "sse2.{}.128", ("x86-64-v2", "x86-64-v3", "x86-64-v4")),
    )
    if LEVEL in levels
}
"""By the number of lanes of 32 bits: what LLVM calls the instructions that pack them, where there are any."""


@intrinsic
def next_piece(typing: Any, counter: Any) -> Any:  # noqa: ARG001 -- numba's interface
    """Give `counter[0]` (int64) and add 1 to it, in one step for all threads."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        return builder.atomic_rmw("add", data, _INT64(1), "monotonic")

    return types.int64(counter), generate


def prefetch(builder: Any, pointer: Any, writing: int, closeness: int) -> None:
    """Ask for a line of memory while other work is done; `closeness` 3 is the first-level cache, 2 the second."""
    parameters = [cgutils.voidptr_t, *[cgutils.int32_t] * 3]
    signature = ir.FunctionType(ir.VoidType(), parameters)
    function = cgutils.get_or_insert_function(builder.module, signature, "llvm.prefetch.p0")  # type: ignore[no-untyped-call]
    address, data = builder.bitcast(pointer, cgutils.voidptr_t), 1
    builder.call(function, [address, *(cgutils.int32_t(value) for value in (writing, closeness, data))])


@intrinsic
def fetch(typing: Any, array: Any, place: Any, write: Any, closeness: Any) -> Any:  # noqa: ARG001 -- numba's interface
    """Have what is at `place` of `array` come near, as `prefetch` does; `write` and `closeness` are literals."""
    if not isinstance(write, types.IntegerLiteral) or not isinstance(closeness, types.IntegerLiteral):
        return None

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, values[0]).data
        prefetch(builder, builder.gep(data, [values[1]]), write.literal_value, closeness.literal_value)
        return context.get_dummy_value()

    return types.void(array, place, write, closeness), generate


def by_kind(builder: Any, kind: Any, write: Callable[[int], None], kinds: int) -> None:
    """Write code for each of the first `kinds` kinds of samples, and go on behind all of it."""
    done = builder.append_basic_block("done")
    blocks = [builder.append_basic_block(f"kind{number}") for number in range(kinds)]
    choice = builder.switch(kind, blocks[0])
    for number, block in enumerate(blocks):
        choice.add_case(_INT64(number), block)
        builder.position_at_end(block)
        write(number)
        builder.branch(done)
    builder.position_at_end(done)


class Lanes:
    """Writes code for vectors of one type of number."""

    def __init__(self, builder: Any, number: Any, size: int, count: int) -> None:
        self.builder, self.number, self.size, self.count = builder, number, size, count
        self.vector = ir.VectorType(number, count)
        self.whole = isinstance(number, ir.IntType)
        self.zero = ir.Constant(self.vector, [0 if self.whole else 0.0] * count)

    def load(self, row: Any, beside: int) -> Any:
        place = self.builder.gep(row, [_INT64(beside * self.count)])
        return self.builder.load(self.builder.bitcast(place, self.vector.as_pointer()), align=self.size)

    def store(self, value: Any, place: Any) -> None:
        self.builder.store(value, self.builder.bitcast(place, self.vector.as_pointer()), align=self.size)

    def splat(self, value: Any) -> Any:
        vector = self.builder.insert_element(ir.Constant(self.vector, ir.Undefined), value, _INT32(0))
        lanes = ir.Constant(ir.VectorType(_INT32, self.count), [0] * self.count)
        return self.builder.shuffle_vector(vector, vector, lanes)

    def add(self, x: Any, y: Any) -> Any:
        return self.builder.add(x, y) if self.whole else self.builder.fadd(x, y)

    def add_product(self, total: Any, x: Any, weight: Any) -> Any:
        """Add; as one operation where the machine has it for floats."""
        if self.whole:
            return self.builder.add(total, self.builder.mul(x, weight))
        return self.builder.fadd(total, self.builder.fmul(x, weight, flags=_CONTRACT), flags=_CONTRACT)


def as_kind(real: Lanes, result: Any, kind: int, high: Any) -> Any:
    builder, single = real.builder, real.number == ir.FloatType()
    if kind == FLOAT32:
        return result if single else builder.fptrunc(result, ir.VectorType(ir.FloatType(), real.count))
    if kind == FLOAT64:
        return builder.fpext(result, ir.VectorType(ir.DoubleType(), real.count)) if single else result
    # Conditions that are false for NaN; the instructions for the greater and the lesser do just that.
    result = builder.select(builder.fcmp_ordered(">", result, real.zero), result, real.zero)
    result = builder.select(builder.fcmp_ordered("<", result, high), result, high)
    return builder.trunc(_rounded(real, result), ir.VectorType(ir.IntType(8 << kind), real.count))


def as_bytes(real: Lanes, four: list[Any], high: Any) -> Any:
    """Make four vectors bytes as `as_kind` does: the first FOUR of each, then the next ones."""
    builder, count = real.builder, real.count
    if count in _PACKS:
        # What is too large for 32 bits comes out as their least number, and so does NaN: the packs make it 0.
        least = [builder.select(builder.fcmp_ordered(">", result, high), high, result) for result in four]
        whole = [_rounded(real, result) for result in least]
        words, result = (ir.VectorType(ir.IntType(width), 32 // width * count) for width in (16, 8))
        pairs = [_pack(builder, "packssdw", x, y, words) for x, y in (whole[:2], whole[2:])]
        return _pack(builder, "packuswb", pairs[0], pairs[1], result)
    parts = [as_kind(real, result, UINT8, high) for result in four]
    pairs = [_shuffled(builder, x, y, range(2 * count)) for x, y in (parts[:2], parts[2:])]
    order = (row * count + first + i for first in range(0, count, FOUR) for row in range(FOUR) for i in range(FOUR))
    return _shuffled(builder, pairs[0], pairs[1], order)


def rows_as_bytes(real: Lanes, four: list[Any], high: Any) -> list[Any]:
    """Make four vectors bytes as `as_kind` does, each by itself."""
    builder, count = real.builder, real.count
    if count not in _PACKS:
        return [as_kind(real, result, UINT8, high) for result in four]
    together = as_bytes(real, four, high)
    order = [FOUR * FOUR * (i // FOUR) + FOUR * row + i % FOUR for row in range(FOUR) for i in range(count)]
    rows = _shuffled(builder, together, together, order)
    return [_shuffled(builder, rows, rows, range(first, first + count)) for first in range(0, FOUR * count, count)]


def _rounded(real: Lanes, result: Any) -> Any:
    whole = ir.VectorType(_INT32, real.count)
    function = cgutils.get_or_insert_function(  # type: ignore[no-untyped-call]
        real.builder.module,
        ir.FunctionType(whole, [real.vector]),
        f"llvm.lrint.v{real.count}i32.v{real.count}f{32 if real.number == ir.FloatType() else 64}",
    )
    return real.builder.call(function, [result])


def _pack(builder: Any, name: str, x: Any, y: Any, packed: Any) -> Any:
    """Narrow integers of two vectors to half their width, clipped, as x86 does: 16 bytes of one, 16 of the other."""
    function = cgutils.get_or_insert_function(  # type: ignore[no-untyped-call]
        builder.module,
        ir.FunctionType(packed, [x.type, y.type]),
        f"llvm.x86.{_PACKS[packed.count * packed.element.width // 32].format(name)}",
    )
    return builder.call(function, [x, y])


def _shuffled(builder: Any, x: Any, y: Any, order: Iterable[int]) -> Any:
    places = list(order)
    return builder.shuffle_vector(x, y, ir.Constant(ir.VectorType(_INT32, len(places)), places))
