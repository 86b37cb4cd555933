"""Convolution of strips of rows: the loops beneath direct, separable, gradient and polyphase.

A strip holds some rows of an image, border included, as floats or as integers of 16 bits. A row consists of `channels *
phases` planes after one another: column x of channel c stands in plane (x % phases) * channels + c, at x // phases. So
the columns that a strided window meets at one tap are neighbours, and every tap is a shift: an offset into the strip.

What makes these loops fast, and is easily lost:

- Slices of known length, indexed by the loop alone: an index that may be negative costs a check for each sample.
- Four output rows at once. A vector load that crosses a cache line costs two cycles, a multiplication one; taps that
  stand below one another let four rows share their loads.
- A strip that fits the second-level cache, whose rows are not a multiple of 4096 bytes apart: a load is held up by a
  store to the same address modulo 4096.
- The vectoriser gives up where it must compare more than 8 pairs of addresses for overlap, unless told otherwise.
- "contract" allows multiply-add and nothing else: the order of the sum stays, and integers stay exact.
- One call does all strips that a thread takes: between two calls threads wait for each other's Python.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any, NamedTuple

import llvmlite.binding as llvm  # type: ignore[import-untyped]
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numpy.typing import NDArray

from service.engine.loops.calls import IMAGE, MEMORY, OUT, bytes_at, counter_at, numbers_at
from service.engine.loops.compiler import compiled, intrinsic
from service.engine.loops.lanes import AS_SUMMED, FLOAT32, FLOAT64, UINT8, UINT16, VECTOR_BYTES, next_piece
from service.engine.loops.sums import IN_A_ROW, SPAN_BYTES, TOGETHER, End, sum_four_rows, sum_one_row, sum_runs

llvm.set_option("convserve", "--runtime-memory-check-threshold=256")

Array = NDArray[Any]

BLOCK = 512
"""Of the numbers of each plane that are woven at once, at most."""
BLOCK_BYTES = 8 * BLOCK + 128
"""From one row of a block to the next: no multiple of 4096."""
BOX_BLOCK = 1536
"""Columns of a block of running sums: four rows of floats fit into a first-level cache."""
CONTRACT = {"contract"}

_INT64 = ir.IntType(64)


class Source(NamedTuple):
    """An image and its rim.

    `image` (H, bytes of W * channels samples of `kind`); `rows` and `columns` give the source index of each padded
    position, or -1 for `value`; the whole image stands in `columns` from `first` on.
    """

    image: Array
    kind: int
    rows: Array
    columns: Array
    first: int
    channels: int
    value: Any


class Shapes(NamedTuple):
    """Rows, bytes of a row and kind of the samples of an image, and of the result, whose rows have so many phases."""

    rows: int
    row_bytes: int
    kind: int
    out_rows: int
    out_row_bytes: int
    out_kind: int
    phases: int


class Strips(NamedTuple):
    """How the output is cut, and how a strip is laid out.

    Strip k makes the rows `edges[k]` to `edges[k + 1]` of each phase. A strip moves by `step` rows from one of these to
    the next, and looks at `reach` rows for one. Rows of output `apart` apart look at rows `distance` numbers apart,
    and so do the taps of a column. Where `window` is not 0, the sums are those of `reach` rows and `window` columns,
    which are `beside` numbers apart, and have one tap each. Where `run` is not 0, there is one plane; the taps along
    its rows follow one another at so many numbers. `columns` and `unit` are those of the output.
    """

    edges: Array
    step: int
    reach: int
    apart: int
    distance: int
    phases: int
    window: int
    beside: int
    run: int
    columns: int
    unit: int


class Taps(NamedTuple):
    """Columns of taps, and which of them make each plane of the output.

    Column t has the weights `starts[t]` to `starts[t + 1]`, at least one, the first of them at `offsets[t]` of the
    strip; plane p has the columns `bounds[p, 0]` to `bounds[p, 1]`.
    """

    weights: Array
    offsets: Array
    starts: Array
    bounds: Array


class Finish(NamedTuple):
    """What becomes of the sums of each plane: sum / divisor * scale + bias, then clipped to 0..high if rounded.

    `scale` is the inverse of a divisor that is a power of two; any other must remain a divisor, since ties have to come
    out exactly. Where `shift` is not negative and the sums are integers of 16 bits, all this is a division by 2**shift
    and they stay integers. `norm` 1 or 2 says to store |x| + |y| or sqrt(x x + y y) of each two planes.
    """

    divisor: Array
    scale: Array
    bias: Array
    high: Any
    shift: int
    norm: int


class Output(NamedTuple):
    """The result: `image` (H', bytes of samples of `kind`), whose row i belongs to the vertical phase i % `phases`.

    A row is made of `columns` numbers of each plane, `unit` of one plane after as many of the one before.
    """

    image: Array
    kind: int
    phases: int
    columns: int
    unit: int


class Room(NamedTuple):
    """Where the parts of `Scratch` begin, in bytes, and how large they are."""

    starts: Array
    dealt: int
    highest: int
    pitch: int
    between: int
    planes: int
    spare: int


class Scratch(NamedTuple):
    """What a thread needs for itself.

    `strip` (rows, numbers of a row) and `between` (4 rows, or none) have room for SPAN_BYTES, or twice as many, behind
    their ends; `block` (planes, 4, BLOCK_BYTES) holds samples that are yet to be woven, `spare` (4 * 8 * SPAN_BYTES)
    what lies beyond the end of a row; `mixed` (BLOCK) is of the numbers in which sums are finished; `dealt` is for the
    samples of a row that are dealt out to planes.
    """

    dealt: Array
    strip: Array
    between: Array
    block: Array
    spare: Array
    mixed: Array


@compiled(fastmath=CONTRACT)
def convolve(
    given: Array, shapes: Shapes, rim: Any, strips: Strips, down: Taps, along: Taps, finish: Finish, room: Room
) -> None:
    """Make strip after strip of the result, as long as the counter gives one that no other thread has taken.

    `rim` is what `Source` has of it. `down.bounds` is for the planes of each phase in turn. Where `along` has taps,
    `down` has one plane for each phase: it makes rows of `Scratch.between`, and the taps of `along` are offsets into
    such a row.
    """
    source, counter = source_at(given, shapes, rim), counter_at(given)
    image = bytes_at(given[OUT], (shapes.out_rows, shapes.out_row_bytes))
    out = Output(image, shapes.out_kind, shapes.phases, strips.columns, strips.unit)
    starts, like = room.starts + given[MEMORY], down.weights
    own = Scratch(
        bytes_at(starts[0], (room.dealt,)),
        numbers_at(starts[1], (room.highest, room.pitch), like),
        numbers_at(starts[2], (room.between, room.pitch), like),
        bytes_at(starts[3], (room.planes, TOGETHER, BLOCK_BYTES)),
        bytes_at(starts[4], (room.spare,)),
        numbers_at(starts[5], (BLOCK,), finish.scale),
    )
    flat, between = own.strip.reshape(-1), own.between.reshape(-1)
    pitch, length = own.strip.shape[1] * strips.step, own.between.shape[1]
    planes = len(own.block)
    twice = len(along.offsets) > 0
    one = finish.high / finish.high
    reach = TOGETHER * strips.apart
    while True:
        piece: int = next_piece(counter)
        if piece >= len(strips.edges) - 1:
            return
        first, end = strips.edges[piece], strips.edges[piece + 1]
        widen(source, first * strips.step, (end - first - 1) * strips.step + strips.reach, strips.phases, own)
        if strips.window > 0:
            _make_boxes(strips, down, finish, out, own, first, end - first)
            continue
        for phase in range(out.phases):
            count = min(end, (len(out.image) - phase + out.phases - 1) // out.phases) - first
            done = 0
            while done < count:
                rows = TOGETHER if count >= reach else 1
                begin = min(done, count - reach) if rows > 1 else done
                for i in range(begin, begin + (strips.apart if rows > 1 else 1)):
                    numbers, at, jump, taps, plane, run = flat, i * pitch, strips.distance, down, phase * planes, 0
                    if twice:
                        _sum_rows(
                            flat, at, jump, down, phase, End(one, one, one - one, one, -1), AS_SUMMED,
                            between.view(np.uint8), 0, length * between.itemsize, length, rows, own.spare,
                        )  # fmt: skip
                        numbers, at, jump, taps, plane, run = between, 0, length, along, 0, strips.run
                    row = (first + i) * out.phases + phase
                    _make_rows(
                        numbers, at, jump, taps, plane, run, strips.apart * out.phases, finish, out, own, row, rows
                    )
                done += reach if rows > 1 else 1


@compiled
def source_at(given: Array, shapes: Shapes, rim: Any) -> Source:
    """Give the image at the address that is `given`."""
    image = bytes_at(given[IMAGE], (shapes.rows, shapes.row_bytes))
    return Source(image, shapes.kind, rim.rows, rim.columns, rim.first, rim.channels, rim.value)


@compiled
def widen(source: Source, begin: int, count: int, phases: int, own: Scratch) -> None:
    """Fill `own.strip` with `count` padded rows from `begin` on, dealt out to planes."""
    size = source.image.shape[1] // (1 << source.kind)
    channels, first = source.channels, source.first
    width = size // channels
    planes = channels * phases
    length = own.strip.shape[1] // planes
    lead = min(-first % phases, width)
    groups = (width - lead) // phases
    skipped, samples = lead * channels << source.kind, groups * planes << source.kind
    at, each = (first + lead) // phases, groups << source.kind
    for r in range(count):
        target, row = own.strip[r], source.rows[begin + r]
        if row < 0:
            target[:] = source.value
            continue
        line = source.image[row][skipped : skipped + samples]
        if planes > 1:
            if source.kind == UINT8:
                _deal(line, own.dealt, groups, planes)
            elif source.kind == UINT16:
                _deal(line.view(np.uint16), own.dealt.view(np.uint16), groups, planes)
            elif source.kind == FLOAT32:
                _deal(line.view(np.uint32), own.dealt.view(np.uint32), groups, planes)
            else:
                _deal(line.view(np.uint64), own.dealt.view(np.uint64), groups, planes)
            line = own.dealt
        for p in range(planes):
            plane, place = line[p * each : (p + 1) * each], target[p * length + at : p * length + at + groups]
            if source.kind == UINT8:
                _copy(plane, place)
            elif source.kind == UINT16:
                _copy(plane.view(np.uint16), place)
            elif source.kind == FLOAT32:
                _copy(plane.view(np.float32), place)
            else:
                _copy(plane.view(np.float64), place)
        _surround(source, source.image[row], target, first + lead, first + lead + groups * phases, phases, length)


@compiled
def _copy(source: Array, target: Array) -> None:
    for i in range(len(target)):
        target[i] = source[i]


@compiled
def _surround(source: Source, line: Array, target: Array, begin: int, end: int, phases: int, length: int) -> None:
    """Fill the columns before `begin` and from `end` on."""
    channels, columns = source.channels, source.columns
    for k in range(len(columns) - (end - begin)):
        x = k if k < begin else k + (end - begin)
        at = (x % phases) * channels * length + x // phases
        for c in range(channels):
            sample = columns[x] * channels + c
            if columns[x] < 0:
                target[at + c * length] = source.value
            elif source.kind == UINT8:
                target[at + c * length] = line[sample]
            elif source.kind == UINT16:
                target[at + c * length] = line.view(np.uint16)[sample]
            elif source.kind == FLOAT32:
                target[at + c * length] = line.view(np.float32)[sample]
            else:
                target[at + c * length] = line.view(np.float64)[sample]


def _exchange(planes: int, unit: int, *, woven: bool) -> Callable[..., Any]:
    """Make the intrinsic that weaves or deals out `planes` planes: as Python, its steps would take a second to compile.

    Steps known to the compiler become shuffles, others do not.
    """

    @intrinsic
    def exchange(typing: Any, row: Any, flat: Any, first: Any, apart: Any, groups: Any) -> Any:  # noqa: ARG001
        """Copy to row[(i * planes + p) * unit + u] from flat[first + p * apart + i * unit + u], or the other way."""
        signature = types.void(row, flat, first, apart, groups)

        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            def data(index: int) -> Any:
                return context.make_array(signature.args[index])(context, builder, values[index]).data

            def times(number: Any, factor: int) -> Any:
                return builder.mul(number, number.type(factor), flags=["nsw"])

            line, start = data(0), builder.gep(data(1), [values[2]], inbounds=True)
            starts = [builder.gep(start, [times(values[3], p)], inbounds=True) for p in range(planes)]
            with cgutils.for_range(builder, values[4]) as loop:
                for p, u in product(range(planes), range(unit)):
                    ends = [
                        builder.gep(
                            array, [builder.add(times(loop.index, step), _INT64(more), flags=["nsw"])], inbounds=True
                        )
                        for array, step, more in ((starts[p], unit, u), (line, planes * unit, p * unit + u))
                    ]
                    source, target = ends if woven else reversed(ends)
                    builder.store(builder.load(source), target)
            return context.get_dummy_value()

        return signature, generate

    return exchange


_weave_two, _weave_three, _weave_four, _weave_six = (_exchange(planes, 1, woven=True) for planes in (2, 3, 4, 6))
_weave_two_of_three = _exchange(2, 3, woven=True)
_deal_two, _deal_three, _deal_four, _deal_six = (_exchange(planes, 1, woven=False) for planes in (2, 3, 4, 6))


@compiled
def _deal(s: Array, target: Array, n: int, planes: int) -> None:
    """Deal `n` groups of samples out to planes."""
    if planes == 2:
        _deal_two(s, target, 0, n, n)
    elif planes == 3:
        _deal_three(s, target, 0, n, n)
    elif planes == 4:
        _deal_four(s, target, 0, n, n)
    elif planes == 6:
        _deal_six(s, target, 0, n, n)
    else:
        for p in range(planes):
            t = target[p * n : (p + 1) * n]
            j = np.uint64(p)
            for i in range(n):
                t[i] = s[j]
                j += np.uint64(planes)


@compiled(fastmath=CONTRACT)
def _make_boxes(strips: Strips, taps: Taps, finish: Finish, out: Output, own: Scratch, first: int, count: int) -> None:
    """Make `count` rows from `first` on by running sums: down by adding one row and taking another away.

    Along a row windows of 1, 2, 4 ... columns are summed from those of half the width, and added as the binary digits
    of the width say. All numbers are integers that the floats hold exactly; so the order does not matter.
    """
    width = own.strip.shape[1]
    halo = (strips.window - 1) * strips.beside
    column = own.between[0]
    block = max(BOX_BLOCK, 2 * halo)
    for c in range(0, out.columns, block):
        n = min(block, out.columns - c)
        sums = column[: n + halo]
        sums[:] = 0
        for i in range(count):
            at = i * strips.step
            if i == 0:
                for r in range(strips.reach):
                    _add(sums, own.strip[r, c : c + n + halo])
            else:
                for r in range(at - strips.step, at):
                    _move(sums, own.strip[r, c : c + n + halo], own.strip[r + strips.reach, c : c + n + halo])
            boxes = _widths(own.between, n, halo, strips)
            _sum_rows(
                boxes, 0, width, taps, 0, _end(finish, 0), out.kind, out.image.reshape(-1),
                (first + i) * out.image.shape[1] + (c << out.kind), 0, n, 1,
                own.spare,
            )  # fmt: skip


@compiled
def _add(sums: Array, row: Array) -> None:
    for i in range(len(sums)):
        sums[i] += row[i]


@compiled
def _move(sums: Array, old: Array, new: Array) -> None:
    for i in range(len(sums)):
        sums[i] += new[i] - old[i]


@compiled
def _widths(between: Array, n: int, halo: int, strips: Strips) -> Array:
    """Sum windows of columns of the first row, which remains; gives `n` sums in another."""
    boxes: Array = between[2]
    powers, target, other = between[0], between[1], between[3]
    size, power, done = n + halo, 1, 0
    while True:
        if strips.window & power:
            shift = done * strips.beside
            if done == 0:
                _copy(powers[:n], boxes[:n])
            else:
                _add(boxes[:n], powers[shift : shift + n])
            done += power
        if done == strips.window:
            return boxes
        size -= power * strips.beside
        _pair(powers, power * strips.beside, target[:size])
        powers, target, other = target, other, target
        power *= 2


@compiled
def _pair(x: Array, shift: int, sums: Array) -> None:
    y = x[shift : shift + len(sums)]
    for i in range(len(sums)):
        sums[i] = x[i] + y[i]


@compiled
def _end(finish: Finish, p: int) -> End:
    return End(finish.divisor[p], finish.scale[p], finish.bias[p], finish.high, finish.shift)


@compiled(fastmath=CONTRACT)
def _make_rows(
    numbers: Array,
    at: int,
    jump: int,
    taps: Taps,
    plane: int,
    run: int,
    further: int,
    finish: Finish,
    out: Output,
    own: Scratch,
    row: int,
    rows: int,
) -> None:
    """Make all planes, the first of which is `plane` of the taps, of `rows` rows that are `further` apart."""
    planes = len(own.block)
    image, pitch = out.image.reshape(-1), out.image.shape[1]
    if planes == 1:
        if run > 0:
            _sum_along(
                numbers, at, jump, run, taps, plane, _end(finish, 0), out.kind,
                image, row * pitch, further * pitch, out.columns, rows, own.spare,
            )  # fmt: skip
            return
        _sum_rows(
            numbers, at, jump, taps, plane, _end(finish, 0), out.kind,
            image, row * pitch, further * pitch, out.columns, rows, own.spare,
        )  # fmt: skip
        return
    kind, woven = out.kind, planes
    if finish.norm > 0:
        kind, woven = FLOAT32 if own.mixed.itemsize == 4 else FLOAT64, planes // 2
    span = SPAN_BYTES // numbers.itemsize * out.unit
    block = span * max(1, BLOCK // span)
    for c in range(0, out.columns, block):
        n = min(block, out.columns - c)
        for p in range(planes):
            _sum_rows(
                numbers, at + c, jump, taps, plane + p, _end(finish, p), kind,
                own.block.reshape(-1), p * TOGETHER * BLOCK_BYTES, BLOCK_BYTES, n, rows, own.spare,
            )  # fmt: skip
        for m in range(rows):
            if finish.norm > 0:
                _combine(own.block, m, n, finish, out.kind, own.mixed)
            line, first = out.image[row + m * further], c * woven
            end = min(first + n * woven, len(line) >> out.kind)
            if out.kind == UINT8:
                _weave(own.block, m, line[first:end], woven, out.unit)
            elif out.kind == UINT16:
                _weave(own.block.view(np.uint16), m, line.view(np.uint16)[first:end], woven, out.unit)
            elif out.kind == FLOAT32:
                _weave(own.block.view(np.uint32), m, line.view(np.uint32)[first:end], woven, out.unit)
            else:
                _weave(own.block.view(np.uint64), m, line.view(np.uint64)[first:end], woven, out.unit)


@compiled(fastmath=CONTRACT)
def _sum_rows(
    numbers: Array,
    at: int,
    jump: int,
    taps: Taps,
    plane: int,
    end: End,
    kind: int,
    out: Array,
    place: int,
    pitch: int,
    columns: int,
    rows: int,
    spare: Array,
) -> None:
    """Sum `columns` numbers of `rows` rows, four or one, and store them as `sum_four_rows` does."""
    span = SPAN_BYTES // numbers.itemsize
    size = numbers.itemsize if kind == AS_SUMMED else 1 << kind
    first, last = taps.bounds[plane, 0], taps.bounds[plane, 1]
    offsets, starts, weights = taps.offsets, taps.starts, taps.weights
    for c in range(0, columns, span):
        whole = c + span <= columns
        target = out if whole else spare
        to = place + c * size if whole else 0
        further = pitch if whole else span * size
        if rows == TOGETHER:
            sum_four_rows(
                numbers, at + c, jump, offsets, starts, weights, first, last, end, kind, target, to, further,
            )  # fmt: skip
        else:
            sum_one_row(
                numbers, at + c, jump, offsets, starts, weights, first, last, end, kind, target, to, further,
            )  # fmt: skip
        if not whole:
            _fetch(spare, further, (columns - c) * size, out, place + c * size, pitch, rows)


@compiled(fastmath=CONTRACT)
def _sum_along(
    numbers: Array,
    at: int,
    jump: int,
    run: int,
    taps: Taps,
    plane: int,
    end: End,
    kind: int,
    out: Array,
    place: int,
    pitch: int,
    columns: int,
    rows: int,
    spare: Array,
) -> None:
    """Do the same for taps that follow one another along a row, at `run` numbers; rows are `jump` apart."""
    first, last, vector = taps.bounds[plane, 0], taps.bounds[plane, 1], VECTOR_BYTES // numbers.itemsize
    start, shared = taps.starts[first], vector // run
    count = taps.starts[first + 1] - start
    if shared == 0 or rows < TOGETHER or last - first > 1 or count < (IN_A_ROW - 1) * shared:
        for m in range(rows):
            _sum_rows(
                numbers, at + m * jump, run, taps, plane, end, kind, out, place + m * pitch, pitch, columns, 1, spare,
            )  # fmt: skip
        return
    size, made = 1 << kind, IN_A_ROW * shared * run
    span = made - shared * run + vector
    for c in range(0, columns, made):
        whole = c + span <= columns
        target = out if whole else spare
        to = place + c * size if whole else 0
        further = pitch if whole else span * size
        sum_runs(
            numbers, at + c + taps.offsets[first], jump, run, shared, taps.weights, start, count,
            end, kind, target, to, further,
        )  # fmt: skip
        if not whole:
            _fetch(spare, further, min(made, columns - c) * size, out, place + c * size, pitch, rows)


@compiled
def _fetch(spare: Array, further: int, n: int, out: Array, place: int, pitch: int, rows: int) -> None:
    """Copy `n` bytes of each row from where they are `further` apart to where they are `pitch` apart."""
    for m in range(rows):
        _copy(spare[m * further : m * further + n], out[place + m * pitch : place + m * pitch + n])


@compiled(fastmath=CONTRACT)
def _combine(block: Array, row: int, n: int, finish: Finish, kind: int, mixed: Array) -> None:
    """Put the norms of each two planes, as samples of `kind`, where the plane of half the number was."""
    for p in range(len(block) // 2):
        x, y = block[2 * p, row].view(mixed.dtype)[:n], block[2 * p + 1, row].view(mixed.dtype)[:n]
        norms = mixed[:n]
        if finish.norm == 1:
            for i in range(n):
                norms[i] = abs(x[i]) + abs(y[i])
        else:
            for i in range(n):
                norms[i] = np.sqrt(x[i] * x[i] + y[i] * y[i])
        line = block[p, row]
        if kind == UINT8:
            _round(norms, line[:n], finish.high)
        elif kind == UINT16:
            _round(norms, line.view(np.uint16)[:n], finish.high)
        elif kind == FLOAT32:
            _copy(norms, line.view(np.float32)[:n])
        else:
            _copy(norms, line.view(np.float64)[:n])


@compiled
def _round(numbers: Array, target: Array, high: Any) -> None:
    for i in range(len(target)):
        # Conditions, not min and max: these have a rule for NaN, which takes time. Here it becomes 0.
        number = numbers[i] if numbers[i] > 0 else high - high
        number = number if number < high else high  # noqa: FURB136
        target[i] = np.rint(number)


@compiled
def _weave(block: Array, row: int, o: Array, planes: int, unit: int) -> None:
    """Put numbers i to i + `unit` of each plane p of `block` (planes, rows, numbers) to o[i * planes + p * unit]."""
    groups = len(o) // (planes * unit)
    n = groups * unit
    flat, first, apart = block.reshape(-1), row * block.shape[2], block.shape[1] * block.shape[2]
    if planes == 1:
        _copy(block[0, row][:n], o)
        return
    if planes == 2 and unit == 1:
        _weave_two(o, flat, first, apart, groups)
    elif planes == 2 and unit == 3:
        _weave_two_of_three(o, flat, first, apart, groups)
    elif planes == 3 and unit == 1:
        _weave_three(o, flat, first, apart, groups)
    elif planes == 4 and unit == 1:
        _weave_four(o, flat, first, apart, groups)
    elif planes == 6 and unit == 1:
        _weave_six(o, flat, first, apart, groups)
    elif unit == 3:
        for p in range(planes):
            t, to = block[p, row][:n], np.uint64(3 * p)
            for i in range(groups):
                o[to] = t[3 * i]
                o[to + np.uint64(1)] = t[3 * i + 1]
                o[to + np.uint64(2)] = t[3 * i + 2]
                to += np.uint64(3 * planes)
    else:
        for p in range(planes):
            t = block[p, row][:n]
            for u in range(unit):
                to, at = np.uint64(p * unit + u), np.uint64(u)
                for _ in range(groups):
                    o[to] = t[at]
                    to += np.uint64(planes * unit)
                    at += np.uint64(unit)
    for k in range(n * planes, len(o)):
        group, p, u = k // (planes * unit), k // unit % planes, k % unit
        o[k] = block[p, row, group * unit + u]
