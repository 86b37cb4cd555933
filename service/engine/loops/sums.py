"""Sums of taps kept in vector registers.

The vectoriser would keep them in memory, since it cannot know how many taps there are: that took 1.4 to 1.8 times as
long.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any, NamedTuple

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types

from service.engine.loops.compiler import intrinsic
from service.engine.loops.lanes import (
    AS_SUMMED,
    FOUR,
    UINT8,
    VECTOR_BYTES,
    Lanes,
    as_bytes,
    as_kind,
    by_kind,
    rows_as_bytes,
)

TOGETHER = 4
"""Rows that are summed at once."""
BESIDE = 2
"""Vectors of each of them: eight sums, twice as many as a multiplication takes cycles."""
IN_A_ROW = 4
"""Vectors of a row that share the taps of a run."""
SPAN_BYTES = BESIDE * VECTOR_BYTES
"""Of the numbers of one row that are summed at once."""
LINES = 8 if VECTOR_BYTES == 64 else 4
"""Sums that share their loads in `sum_lines`: with two lines of input for each, as many as there are registers for."""

_INT64 = ir.IntType(64)

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


def _finished(
    sums_of: Callable[[Lanes, Callable[[int], Any], Any], tuple[Sums, Any]], *, fours: bool = False
) -> Callable[..., Any]:
    """Make the code of a block from that of its sums, which also says how far apart their vectors are stored.

    The first argument has the numbers, the last five are the end of a sum, the kind, the output and where in it. With
    `fours`, bytes of four rows of one vector are stored together.
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
        _finish(lanes, sums, real, _Finish(divisor, scale, bias, high, shift, kind, out, place, pitch, apart, fours))
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
    fours: bool


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
    results, highest = _scaled(real, numbers, end), real.splat(end.high)

    def stored(kind: int) -> None:
        groups = [results[row : row + FOUR] for row in range(0, len(results), FOUR)]
        if kind == UINT8 and end.fours:
            place, pitch = (builder.mul(number, _INT64(FOUR)) for number in (end.place, end.pitch))
            four_rows = [[as_bytes(real, _all(group), highest)] for group in groups]
            _store(builder, four_rows, end._replace(place=place, pitch=pitch), 1)
            return
        if kind == UINT8 and len(groups[-1]) == FOUR:
            columns = [[rows_as_bytes(real, list(column), highest) for column in zip(*g, strict=True)] for g in groups]
            samples = [list(row) for group in columns for row in zip(*group, strict=True)]
        else:
            samples = [[as_kind(real, result, kind, highest) for result in row] for row in results]
        _store(builder, samples, end, 1 << kind)

    by_kind(builder, end.kind, stored, AS_SUMMED)
    builder.branch(done)
    builder.position_at_end(done)


def _scaled(real: Lanes, numbers: Sums, end: _Finish) -> Sums:
    """Divide, multiply and add as `end` says, if it says anything."""
    builder, one = real.builder, ir.Constant(real.number, 1.0)
    divides = builder.fcmp_unordered("!=", end.divisor, one)
    scales = builder.or_(
        builder.fcmp_unordered("!=", end.scale, one),
        builder.fcmp_unordered("!=", end.bias, ir.Constant(real.number, 0.0)),
    )
    entry = builder.block
    with builder.if_then(builder.or_(divides, scales)):
        before = builder.block
        with builder.if_then(divides):
            common = real.splat(end.divisor)
            quotients = [[builder.fdiv(number, common) for number in row] for row in numbers]
            divided = builder.block
        either = _either(builder, real.vector, (numbers, before), (quotients, divided))
        scale, bias = real.splat(end.scale), real.splat(end.bias)
        results = [[real.add_product(bias, number, scale) for number in row] for row in either]
        scaled = builder.block
    return _either(builder, real.vector, (numbers, entry), (results, scaled))


def _either(builder: Any, kind: Any, *ways: tuple[Sums, Any]) -> Sums:
    """Choose by the block that one comes from."""
    chosen = [[builder.phi(kind) for _ in row] for row in ways[0][0]]
    for sums, block in ways:
        for register, total in zip(_all(chosen), _all(sums), strict=True):
            register.add_incoming(total, block)
    return chosen


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


def _store(builder: Any, vectors: Sums, end: _Finish, size: int) -> None:
    """Store vectors that begin `end.apart` numbers apart."""
    for number, row in enumerate(vectors):
        line = builder.gep(end.out, [builder.add(end.place, builder.mul(end.pitch, _INT64(number)))])
        for beside, vector in enumerate(row):
            target = builder.gep(line, [builder.mul(end.apart, _INT64(beside * size))])
            builder.store(vector, builder.bitcast(target, vector.type.as_pointer()), align=size)


def _all(sums: Sums) -> list[Any]:
    return [total for row in sums for total in row]


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
    are those of `sum_four_rows`; sum r is stored r * `pitch` bytes further. UINT8 of sums r to r + FOUR are stored by
    turns, FOUR of each, at FOUR * (`place` + r / FOUR * `pitch`).
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

    return signature, _finished(sums, fours=True)


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
