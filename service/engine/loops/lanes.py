"""What numba's Python cannot say: sums of taps kept in vector registers, and a counter that threads share.

Both are written as LLVM's intermediate code, in vectors that LLVM cuts down to those of the machine. The vectoriser
would keep sums in memory, since it cannot know how many taps there are: that took 1.4 to 1.8 times as long.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any, NamedTuple

import llvmlite.binding as llvm  # type: ignore[import-untyped]
from llvmlite import ir
from numba import config, types
from numba.core import cgutils

from service.engine.loops.compiler import intrinsic


def _vector_bytes() -> int:
    """Give the width of the vectors of the processor that numba compiles for; it need not be the one this runs on."""
    name, features = getattr(config, "CPU_NAME", None), getattr(config, "CPU_FEATURES", None)
    if name and name != "host":
        return 64 if name == "x86-64-v4" or "+avx512f" in (features or "") else 32
    return 64 if llvm.get_host_cpu_features().get("avx512f") else 32


VECTOR_BYTES = _vector_bytes()
TOGETHER = 4
"""Rows that are summed at once."""
BESIDE = 2
"""Vectors of each of them: eight sums, twice as many as a multiplication takes cycles."""
IN_A_ROW = 4
"""Vectors of a row that share the taps of a run."""
SPAN_BYTES = BESIDE * VECTOR_BYTES
"""Of the numbers of one row that are summed at once."""

UINT8, UINT16, FLOAT32, FLOAT64, AS_SUMMED = range(5)
"""Kinds of samples, the first four of 1, 2, 4 and 8 bytes; AS_SUMMED stores the sums and nothing else."""
KINDS = {"uint8": UINT8, "uint16": UINT16, "float32": FLOAT32, "float64": FLOAT64}
"""Images come and go as bytes: a loop that knows all kinds is compiled once, which takes long enough."""

_INT32, _INT64 = ir.IntType(32), ir.IntType(64)
_CONTRACT = ("contract",)


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


Sums = list[list[Any]]
"""By row and vector beside one another."""


class End(NamedTuple):
    """How sums are finished: sum / divisor * scale + bias.

    Integers are rounded half to even and clipped to 0..`high`, NaN becomes 0. Sums of 16 bits whose end is UINT8 and a
    division by 2**`shift` alone stay integers; the shift is negative for all others.
    """

    divisor: Any
    scale: Any
    bias: Any
    high: Any
    shift: Any


def _finished(sums_of: Callable[[Lanes, Callable[[int], Any], Any], tuple[Sums, Any]]) -> Callable[..., Any]:
    """Make the code of a block from that of its sums, which also says how far apart their vectors are stored.

    The first argument has the numbers, the last five are the end of a sum, the kind, the output and where in it.
    """

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        def data(index: int) -> Any:
            return context.make_array(signature.args[index])(context, builder, values[index]).data

        number = context.get_value_type(signature.args[0].dtype)
        size = context.get_abi_sizeof(number)
        lanes = Lanes(builder, number, size, VECTOR_BYTES // size)
        sums, apart = sums_of(lanes, data, values)
        real = Lanes(builder, context.get_value_type(signature.args[-5][0]), 0, lanes.count)
        divisor, scale, bias, high, shift = (builder.extract_value(values[-5], i) for i in range(len(End._fields)))
        kind, out, (place, pitch) = values[-4], data(len(values) - 3), values[-2:]
        _finish(lanes, sums, real, _Finish(divisor, scale, bias, high, shift, kind, out, place, pitch, apart))
        return context.get_dummy_value()

    return generate


def _block(rows: int) -> Callable[..., Any]:
    """Make the intrinsic that sums `rows` rows at once."""

    @intrinsic
    def sum_block(
        typing: Any,  # noqa: ARG001 -- numba's interface
        strip: Any,
        at: Any,
        jump: Any,
        offsets: Any,
        starts: Any,
        weights: Any,
        first: Any,
        end: Any,
        end_of_sum: Any,
        kind: Any,
        out: Any,
        place: Any,
        pitch: Any,
    ) -> Any:
        """Sum the columns of taps `first` to `end` for SPAN_BYTES of numbers of each of `rows` rows, and store them.

        Column t has the weights `starts[t]` to `starts[t + 1]`. For row r its tap j meets `strip` from `at` +
        `offsets[t]` + (r + j) * `jump` on. They are finished by `end_of_sum`, an `End`, as `kind` at byte `place` + r *
        `pitch` of `out`.
        """
        signature = types.void(
            strip, at, jump, offsets, starts, weights, first, end, end_of_sum, kind, out, place, pitch
        )

        def sums(lanes: Lanes, data: Callable[[int], Any], values: Any) -> tuple[Sums, Any]:
            base = lanes.builder.gep(data(0), [values[1]])
            tables = data(3), data(4), data(5)
            return _sums(lanes, rows, base, values[2], tables, values[6], values[7]), _INT64(lanes.count)

        return signature, _finished(sums)

    return sum_block


sum_four_rows = _block(TOGETHER)
sum_one_row = _block(1)


@intrinsic
def sum_runs(
    typing: Any,  # noqa: ARG001 -- numba's interface
    numbers: Any,
    at: Any,
    jump: Any,
    spacing: Any,
    shared: Any,
    weights: Any,
    start: Any,
    taps: Any,
    end_of_sum: Any,
    kind: Any,
    out: Any,
    place: Any,
    pitch: Any,
) -> Any:
    """Sum a run of taps along four rows for IN_A_ROW vectors, and store them as `sum_four_rows` does.

    Row r begins at `at` + r * `jump`, tap j, of weight `weights[start + j]`, is j * `spacing` further. The vectors are
    `shared` * `spacing` numbers apart, no more than there are in one: so tap j of a vector looks where tap j - `shared`
    of the next one does, and they share their loads, which cross cache lines. Of `taps` there are at least (IN_A_ROW -
    1) * `shared`.
    """
    signature = types.void(
        numbers, at, jump, spacing, shared, weights, start, taps, end_of_sum, kind, out, place, pitch
    )

    def runs(lanes: Lanes, data: Callable[[int], Any], values: Any) -> tuple[Sums, Any]:
        builder = lanes.builder
        _, at, jump, spacing, shared, _, start, taps = values[:8]
        base, own = builder.gep(data(0), [at]), builder.gep(data(5), [start])
        sums = [[lanes.zero] * IN_A_ROW for _ in range(TOGETHER)]
        edges = [builder.mul(shared, _INT64(vector)) for vector in range(IN_A_ROW)]
        edges += [builder.add(taps, edge) for edge in edges]
        for part in range(2 * IN_A_ROW - 1):
            meeting = range(max(0, part - IN_A_ROW + 1), min(part, IN_A_ROW - 1) + 1)
            sums = _run(lanes, sums, base, jump, spacing, own, (edges[part], edges[part + 1]), edges, meeting)
        return sums, builder.mul(shared, spacing)

    return signature, _finished(runs)


def _sums(lanes: Lanes, rows: int, base: Any, jump: Any, tables: tuple[Any, Any, Any], first: Any, end: Any) -> Sums:
    """Write the loop over columns. Short ones are written out; of longer ones the weights move through registers."""
    builder, (offsets, starts, weights) = lanes.builder, tables
    names = ("columns", "column", "next", "finish")
    head, body, following, finish = (builder.append_basic_block(name) for name in names)
    entry = builder.block
    builder.branch(head)
    builder.position_at_end(head)
    column = builder.phi(_INT64)
    column.add_incoming(first, entry)
    sums = [[builder.phi(lanes.vector) for _ in range(BESIDE)] for _ in range(rows)]
    for total in _all(sums):
        total.add_incoming(lanes.zero, entry)
    builder.cbranch(builder.icmp_signed("<", column, end), body, finish)

    builder.position_at_end(body)
    top = builder.gep(base, [builder.load(builder.gep(offsets, [column]))])
    start = builder.load(builder.gep(starts, [column]))
    after = builder.add(column, _INT64(1))
    taps = builder.sub(builder.load(builder.gep(starts, [after])), start)
    own = builder.gep(weights, [start])
    long = builder.append_basic_block("long")
    choice = builder.switch(taps, long)
    ways = []
    for count in range(1, rows):
        short = builder.append_basic_block(f"taps{count}")
        choice.add_case(_INT64(count), short)
        builder.position_at_end(short)
        weight = [lanes.splat(builder.load(builder.gep(own, [_INT64(tap)]))) for tap in range(count)]
        totals = [row[:] for row in sums]
        for line in range(count + rows - 1):
            _add_line(lanes, totals, builder.gep(top, [builder.mul(jump, _INT64(line))]), line, weight)
        ways.append((totals, builder.block))
        builder.branch(following)
    builder.position_at_end(long)
    ways.append((_long_column(lanes, sums, top, jump, own, taps), builder.block))
    builder.branch(following)

    builder.position_at_end(following)
    for row, beside in product(range(rows), range(BESIDE)):
        total = builder.phi(lanes.vector)
        for totals, block in ways:
            total.add_incoming(totals[row][beside], block)
        sums[row][beside].add_incoming(total, following)
    column.add_incoming(after, following)
    builder.branch(head)
    builder.position_at_end(finish)
    return sums


def _add_line(lanes: Lanes, totals: Sums, line: Any, number: int, weights: list[Any]) -> None:
    """Add one line of the strip to every row that has a tap there: row r has that of `weights[number - r]`."""
    x = [lanes.load(line, beside) for beside in range(BESIDE)]
    for row, total in enumerate(totals):
        if 0 <= number - row < len(weights):
            weight = weights[number - row]
            total[:] = [lanes.add_product(total[beside], x[beside], weight) for beside in range(BESIDE)]


def _long_column(lanes: Lanes, sums: Sums, top: Any, jump: Any, weights: Any, taps: Any) -> Sums:
    """Add a column of at least as many taps as there are rows: a line meets all rows, but for the outermost lines."""
    builder, rows = lanes.builder, len(sums)
    totals = [row[:] for row in sums]
    early = [lanes.splat(builder.load(builder.gep(weights, [_INT64(tap)]))) for tap in range(rows - 1)]
    for number in range(rows - 1):
        _add_line(lanes, totals, builder.gep(top, [builder.mul(jump, _INT64(number))]), number, early)
    begin = builder.gep(top, [builder.mul(jump, _INT64(rows - 1))])
    entry, loop, rest = builder.block, builder.append_basic_block("lines"), builder.append_basic_block("rest")
    builder.branch(loop)

    builder.position_at_end(loop)
    tap, line = builder.phi(_INT64), builder.phi(begin.type)
    tap.add_incoming(_INT64(rows - 1), entry)
    line.add_incoming(begin, entry)
    former = [builder.phi(lanes.vector) for _ in range(rows - 1)]
    for register, weight in zip(former, early, strict=True):
        register.add_incoming(weight, entry)
    moving = [[builder.phi(lanes.vector) for _ in range(BESIDE)] for _ in range(rows)]
    for register, total in zip(_all(moving), _all(totals), strict=True):
        register.add_incoming(total, entry)
    totals = [row[:] for row in moving]
    recent = [*former, lanes.splat(builder.load(builder.gep(weights, [tap])))]
    _add_line(lanes, totals, line, rows - 1, recent)
    for register, weight in zip(former, recent[1:], strict=True):
        register.add_incoming(weight, loop)
    for register, total in zip(_all(moving), _all(totals), strict=True):
        register.add_incoming(total, loop)
    following, below = builder.add(tap, _INT64(1)), builder.gep(line, [jump])
    tap.add_incoming(following, loop)
    line.add_incoming(below, loop)
    builder.cbranch(builder.icmp_signed("<", following, taps), loop, rest)

    builder.position_at_end(rest)
    for number in range(rows - 1):
        _add_line(lanes, totals, builder.gep(below, [builder.mul(jump, _INT64(number))]), number + rows, recent)
    return totals


class _Finish(NamedTuple):
    """The last arguments of a block and how far apart its vectors are stored, as code."""

    divisor: Any
    scale: Any
    bias: Any
    high: Any
    shift: Any
    kind: Any
    out: Any
    place: Any
    pitch: Any
    apart: Any


def _run(
    lanes: Lanes,
    sums: Sums,
    base: Any,
    jump: Any,
    spacing: Any,
    weights: Any,
    bounds: tuple[Any, Any],
    edges: list[Any],
    meeting: range,
) -> Sums:
    """Write the loop over the places `bounds` of a row, where only the vectors `meeting` have taps."""
    builder = lanes.builder
    entry, loop, after = builder.block, builder.append_basic_block("places"), builder.append_basic_block("after")
    builder.cbranch(builder.icmp_signed("<", *bounds), loop, after)
    builder.position_at_end(loop)
    place = builder.phi(_INT64)
    place.add_incoming(bounds[0], entry)
    moving = [[builder.phi(lanes.vector) for _ in row] for row in sums]
    for register, total in zip(_all(moving), _all(sums), strict=True):
        register.add_incoming(total, entry)
    totals = [row[:] for row in moving]
    own = [lanes.splat(builder.load(builder.gep(weights, [builder.sub(place, edges[v])]))) for v in meeting]
    for number, row in enumerate(totals):
        line = builder.gep(base, [builder.add(builder.mul(place, spacing), builder.mul(jump, _INT64(number)))])
        x = lanes.load(line, 0)
        for vector, weight in zip(meeting, own, strict=True):
            row[vector] = lanes.add_product(row[vector], x, weight)
    following = builder.add(place, _INT64(1))
    place.add_incoming(following, loop)
    for register, total in zip(_all(moving), _all(totals), strict=True):
        register.add_incoming(total, loop)
    builder.cbranch(builder.icmp_signed("<", following, bounds[1]), loop, after)
    builder.position_at_end(after)
    results = [[builder.phi(lanes.vector) for _ in row] for row in sums]
    for register, before, total in zip(_all(results), _all(sums), _all(totals), strict=True):
        register.add_incoming(before, entry)
        register.add_incoming(total, loop)
    return results


def _finish(lanes: Lanes, sums: Sums, real: Lanes, end: _Finish) -> None:
    """Write what becomes of the sums; `real` are lanes of the numbers in which it is computed."""
    builder = lanes.builder
    raw, finished, done = (builder.append_basic_block(name) for name in ("raw", "finished", "done"))
    builder.cbranch(builder.icmp_signed("==", end.kind, _INT64(AS_SUMMED)), raw, finished)
    builder.position_at_end(raw)
    _store(builder, sums, end, lanes.size)
    builder.branch(done)

    builder.position_at_end(finished)
    if lanes.whole:
        short, other = builder.append_basic_block("short"), builder.append_basic_block("other")
        shifted = builder.icmp_signed(">=", end.shift, _INT64(0))
        builder.cbranch(builder.and_(shifted, builder.icmp_signed("==", end.kind, _INT64(UINT8))), short, other)
        builder.position_at_end(short)
        _store(builder, _shifted(lanes, sums, end.shift), end, 1)
        builder.branch(done)
        builder.position_at_end(other)
    numbers = [[builder.sitofp(total, real.vector) for total in row] for row in sums] if lanes.whole else sums
    divide, divided = builder.append_basic_block("divide"), builder.append_basic_block("divided")
    entry = builder.block
    builder.cbranch(builder.fcmp_unordered("!=", end.divisor, ir.Constant(real.number, 1.0)), divide, divided)
    builder.position_at_end(divide)
    common = real.splat(end.divisor)
    quotients = [[builder.fdiv(number, common) for number in row] for row in numbers]
    builder.branch(divided)
    builder.position_at_end(divided)
    results: Sums = [[] for _ in sums]
    for row, beside in product(range(len(sums)), range(len(sums[0]))):
        result = builder.phi(real.vector)
        result.add_incoming(numbers[row][beside], entry)
        result.add_incoming(quotients[row][beside], divide)
        results[row].append(result)
    scales, biases, highest = real.splat(end.scale), real.splat(end.bias), real.splat(end.high)
    results = [[real.add_product(biases, result, scales) for result in row] for row in results]
    blocks = [builder.append_basic_block(name) for name in ("uint8", "uint16", "float32", "float64")]
    choice = builder.switch(end.kind, blocks[FLOAT64])
    for number, block in enumerate(blocks):
        choice.add_case(_INT64(number), block)
        builder.position_at_end(block)
        size = 1 << number
        stored = [[as_kind(real, result, number, highest) for result in row] for row in results]
        _store(builder, stored, end, size)
        builder.branch(done)
    builder.position_at_end(done)


def _shifted(lanes: Lanes, sums: Sums, shift: Any) -> Sums:
    """Divide by 2**shift, round half to even, clip to 0..255: up where the rest is more than half, or half and odd."""
    builder = lanes.builder
    shift = builder.trunc(shift, lanes.number)
    one, nothing = lanes.number(1), lanes.number(0)
    some = builder.icmp_signed(">", shift, nothing)
    whole = builder.shl(one, shift)
    shifts, rests = lanes.splat(shift), lanes.splat(builder.sub(whole, one))
    halves, odds = lanes.splat(builder.ashr(whole, one)), lanes.splat(builder.select(some, one, nothing))
    full = ir.Constant(lanes.vector, [255] * lanes.count)

    def rounded(total: Any) -> Any:
        level = builder.ashr(total, shifts)
        rest = builder.add(builder.and_(total, rests), builder.and_(level, odds))
        level = builder.add(level, builder.zext(builder.icmp_signed(">", rest, halves), lanes.vector))
        level = builder.select(builder.icmp_signed(">", level, lanes.zero), level, lanes.zero)
        level = builder.select(builder.icmp_signed("<", level, full), level, full)
        return builder.trunc(level, ir.VectorType(ir.IntType(8), lanes.count))

    return [[rounded(total) for total in row] for row in sums]


def as_kind(real: Lanes, result: Any, kind: int, high: Any) -> Any:
    builder, single = real.builder, real.number == ir.FloatType()
    if kind == FLOAT32:
        return result if single else builder.fptrunc(result, ir.VectorType(ir.FloatType(), real.count))
    if kind == FLOAT64:
        return builder.fpext(result, ir.VectorType(ir.DoubleType(), real.count)) if single else result
    # Conditions that are false for NaN; the instructions for the greater and the lesser do just that.
    result = builder.select(builder.fcmp_ordered(">", result, real.zero), result, real.zero)
    result = builder.select(builder.fcmp_ordered("<", result, high), result, high)
    whole = ir.VectorType(_INT32, real.count)
    function = cgutils.get_or_insert_function(  # type: ignore[no-untyped-call]
        builder.module,
        ir.FunctionType(whole, [real.vector]),
        f"llvm.lrint.v{real.count}i32.v{real.count}f{32 if single else 64}",
    )
    return builder.trunc(builder.call(function, [result]), ir.VectorType(ir.IntType(8 << kind), real.count))


def _store(builder: Any, vectors: Sums, end: _Finish, size: int) -> None:
    """Store vectors that begin `end.apart` numbers apart."""
    for number, row in enumerate(vectors):
        line = builder.gep(end.out, [builder.add(end.place, builder.mul(end.pitch, _INT64(number)))])
        for beside, vector in enumerate(row):
            target = builder.gep(line, [builder.mul(end.apart, _INT64(beside * size))])
            builder.store(vector, builder.bitcast(target, vector.type.as_pointer()), align=size)


def _all(sums: Sums) -> list[Any]:
    return [total for row in sums for total in row]


LINES = 8 if VECTOR_BYTES == 64 else 4
"""Sums that share their loads in `sum_lines`: with two lines of input for each, as many as there are registers for."""
SHARE = 16
"""Bytes of each segment that are dealt out to lanes, or brought back, at once."""


@intrinsic
def sum_lines(
    typing: Any,  # noqa: ARG001 -- numba's interface
    numbers: Any,
    at: Any,
    lines: Any,
    line: Any,
    weights: Any,
    start: Any,
    taps: Any,
    folded: Any,
    end_of_sum: Any,
    kind: Any,
    out: Any,
    place: Any,
    pitch: Any,
) -> Any:
    """Sum a run of `taps` taps for LINES sums, each a vector, and store them.

    Tap j of sum r, of weight `weights[start + j]`, meets `numbers` from `at` + `lines[line + r + j]` on. The first
    `folded` weights equal the last ones in reverse: what these meet is added first. The end of a sum, kind and place
    are those of `sum_four_rows`; sum r is stored r * `pitch` bytes further.
    """
    signature = types.void(numbers, at, lines, line, weights, start, taps, folded, end_of_sum, kind, out, place, pitch)

    def sums(lanes: Lanes, data: Callable[[int], Any], values: Any) -> tuple[Sums, Any]:
        builder = lanes.builder
        base, own = builder.gep(data(0), [values[1]]), builder.gep(data(4), [values[5]])
        table = builder.gep(data(2), [values[3]])

        def load(number: Any) -> Any:
            return lanes.load(builder.gep(base, [builder.load(builder.gep(table, [number]))]), 0)

        totals = _sum_run(lanes, load, own, values[6], values[7])
        return [[total] for total in totals], _INT64(lanes.count)

    return signature, _finished(sums)


def _sum_run(lanes: Lanes, load: Callable[[Any], Any], weights: Any, taps: Any, folded: Any) -> list[Any]:
    """Write two loops over taps, of pairs and of others; lines move through registers from sum to sum."""
    builder = lanes.builder
    pairs, others, done = (builder.append_basic_block(name) for name in ("pairs", "others", "done"))
    before, plain = builder.append_basic_block("before"), builder.append_basic_block("plain")
    upper = [load(_INT64(number)) for number in range(LINES - 1)]
    entry = builder.block
    builder.cbranch(builder.icmp_signed(">", folded, _INT64(0)), before, plain)

    builder.position_at_end(before)
    last = builder.sub(taps, _INT64(1))
    lower = [load(builder.add(last, _INT64(number))) for number in range(1, LINES)]
    builder.branch(pairs)

    builder.position_at_end(pairs)
    initial = [_INT64(0), *upper, *lower, *[lanes.zero] * LINES]
    moving = [builder.phi(value.type) for value in initial]
    for register, value in zip(moving, initial, strict=True):
        register.add_incoming(value, before)
    tap, above, below, sums = moving[0], moving[1:LINES], moving[LINES : 2 * LINES - 1], moving[2 * LINES - 1 :]
    weight = lanes.splat(builder.load(builder.gep(weights, [tap])))
    above = [*above, load(builder.add(tap, _INT64(LINES - 1)))]
    below = [load(builder.sub(last, tap)), *below]
    sums = [lanes.add_product(total, lanes.add(x, y), weight) for total, x, y in zip(sums, above, below, strict=True)]
    following = builder.add(tap, _INT64(1))
    for register, value in zip(moving, (following, *above[1:], *below[:-1], *sums), strict=True):
        register.add_incoming(value, pairs)
    builder.cbranch(builder.icmp_signed("<", following, folded), pairs, plain)

    builder.position_at_end(plain)
    known = []
    for first, value in zip((_INT64(0), *upper, *[lanes.zero] * LINES), (following, *above[1:], *sums), strict=True):
        register = builder.phi(value.type)
        register.add_incoming(first, entry)
        register.add_incoming(value, pairs)
        known.append(register)
    stop = builder.sub(taps, folded)
    builder.cbranch(builder.icmp_signed("<", known[0], stop), others, done)

    builder.position_at_end(others)
    moving = [builder.phi(value.type) for value in known]
    for register, value in zip(moving, known, strict=True):
        register.add_incoming(value, plain)
    tap, above, sums = moving[0], moving[1:LINES], moving[LINES:]
    weight = lanes.splat(builder.load(builder.gep(weights, [tap])))
    above = [*above, load(builder.add(tap, _INT64(LINES - 1)))]
    sums = [lanes.add_product(total, x, weight) for total, x in zip(sums, above, strict=True)]
    following = builder.add(tap, _INT64(1))
    for register, value in zip(moving, (following, *above[1:], *sums), strict=True):
        register.add_incoming(value, others)
    builder.cbranch(builder.icmp_signed("<", following, stop), others, done)

    builder.position_at_end(done)
    results = []
    for early, late in zip(known[LINES:], sums, strict=True):
        total = builder.phi(lanes.vector)
        total.add_incoming(early, plain)
        total.add_incoming(late, others)
        results.append(total)
    return results


@intrinsic
def spread(
    typing: Any,  # noqa: ARG001 -- numba's interface
    line: Any,
    at: Any,
    starts: Any,
    kind: Any,
    numbers: Any,
    place: Any,
) -> Any:
    """Deal SHARE bytes of each segment out to lanes, as numbers.

    Segment i begins at sample `starts[i]` of `line` (bytes of samples of `kind`). Its samples from `at` on become
    lane i of the vectors of `numbers` from `place` on.
    """
    signature = types.void(line, at, starts, kind, numbers, place)

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        data = {i: context.make_array(signature.args[i])(context, builder, values[i]).data for i in (0, 2, 4)}
        number = context.get_value_type(signature.args[4].dtype)
        size = context.get_abi_sizeof(number)
        lanes = Lanes(builder, number, size, VECTOR_BYTES // size)
        at, kind, target = values[1], values[3], builder.gep(data[4], [values[5]])

        def of_kind(exponent: int) -> None:
            first = builder.gep(data[0], [builder.shl(at, _INT64(exponent))])
            some = ir.VectorType(_SAMPLES[exponent], SHARE >> exponent)
            parts = []
            for lane in range(lanes.count):
                begin = builder.load(builder.gep(data[2], [_INT64(lane)]))
                place = builder.gep(first, [builder.shl(begin, _INT64(exponent))])
                parts.append([builder.load(builder.bitcast(place, some.as_pointer()), align=1)])
            for step, part in enumerate(_pieces(builder, _transposed(builder, parts), lanes.count)):
                place = builder.gep(target, [_INT64(step * lanes.count)])
                vector = _as_number(lanes, part)
                builder.store(vector, builder.bitcast(place, vector.type.as_pointer()), align=size)

        _by_kind(builder, kind, of_kind, range(1 if lanes.whole else 4))
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def collect(
    typing: Any,  # noqa: ARG001 -- numba's interface
    vectors: Any,
    at: Any,
    starts: Any,
    kind: Any,
    out: Any,
    place: Any,
    like: Any,
) -> Any:
    """Bring lanes back to their segments, SHARE bytes of each: the inverse of `spread`, but for the numbers.

    Samples of `kind` stand in `vectors` (bytes), from sample `at` * lanes on; those of lane i come to samples
    `starts[i]` + `place`, ... of `out` (bytes). There are as many lanes as a vector has for the numbers of `like`.
    """
    signature = types.void(vectors, at, starts, kind, out, place, like)

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        data = {i: context.make_array(signature.args[i])(context, builder, values[i]).data for i in (0, 2, 4)}
        count = VECTOR_BYTES // context.get_abi_sizeof(context.get_value_type(signature.args[6].dtype))
        at, kind, to = values[1], values[3], values[5]

        def of_kind(exponent: int) -> None:
            first = builder.gep(data[0], [builder.shl(builder.mul(at, _INT64(count)), _INT64(exponent))])
            some = ir.VectorType(_SAMPLES[exponent], count)
            parts = []
            for step in range(SHARE >> exponent):
                place = builder.gep(first, [_INT64(step * count << exponent)])
                vector = builder.load(builder.bitcast(place, some.as_pointer()), align=1)
                parts.append(_pieces(builder, [vector], min(count, VECTOR_BYTES >> exponent)))
            for lane, part in enumerate(_pieces(builder, _transposed(builder, parts), SHARE >> exponent)):
                begin = builder.add(builder.load(builder.gep(data[2], [_INT64(lane)])), to)
                place = builder.gep(data[4], [builder.shl(begin, _INT64(exponent))])
                builder.store(part, builder.bitcast(place, part.type.as_pointer()), align=1)

        _by_kind(builder, kind, of_kind, range(4))
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def fetch(typing: Any, array: Any, place: Any, write: Any) -> Any:  # noqa: ARG001 -- numba's interface
    """Have the cache line of byte `place` of `array` (bytes) come near, to be written if the literal `write` is 1."""
    if not isinstance(write, types.IntegerLiteral):
        return None

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, values[0]).data
        prefetch(builder, builder.gep(data, [values[1]]), write.literal_value, 3)
        return context.get_dummy_value()

    return types.void(array, place, write), generate


_SAMPLES = (ir.IntType(8), ir.IntType(16), ir.FloatType(), ir.DoubleType())


def _by_kind(builder: Any, kind: Any, write: Callable[[int], None], kinds: range) -> None:
    """Write code for each of `kinds`, each in a block of its own."""
    done, blocks = builder.append_basic_block("done"), [builder.append_basic_block(f"kind{k}") for k in kinds]
    choice = builder.switch(kind, done)
    for number, block in zip(kinds, blocks, strict=True):
        choice.add_case(_INT64(number), block)
        builder.position_at_end(block)
        write(number)
        builder.branch(done)
    builder.position_at_end(done)


def _transposed(builder: Any, rows: Sums) -> list[Any]:
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


def _pieces(builder: Any, vectors: list[Any], count: int) -> list[Any]:
    """Cut or join vectors to some of `count` numbers."""
    if vectors[0].type.count == count:
        return vectors
    if vectors[0].type.count < count:
        pairs = zip(vectors[::2], vectors[1::2], strict=True)
        return _pieces(builder, [_shuffled(builder, x, y, list(range(2 * x.type.count))) for x, y in pairs], count)
    return [
        _shuffled(builder, vector, vector, list(range(first, first + count)))
        for vector in vectors
        for first in range(0, vector.type.count, count)
    ]


def _shuffled(builder: Any, x: Any, y: Any, order: list[int]) -> Any:
    return builder.shuffle_vector(x, y, ir.Constant(ir.VectorType(_INT32, len(order)), order))


def _as_number(lanes: Lanes, samples: Any) -> Any:
    builder, element = lanes.builder, samples.type.element
    if isinstance(element, ir.IntType):
        return builder.zext(samples, lanes.vector) if lanes.whole else builder.uitofp(samples, lanes.vector)
    if element == lanes.number:
        return samples
    convert = builder.fpext if lanes.number == ir.DoubleType() else builder.fptrunc
    return convert(samples, lanes.vector)
