"""Convolution of strips of rows: the loops beneath direct, separable, gradient, box and polyphase.

A strip holds some rows of an image, border included, as floats or as integers of 16 bits. The columns of a row are
dealt out to phases, plane after plane: so those that a strided window meets at one tap are neighbours, and every tap is
a shift, an offset into the strip. The channels of a column stay side by side, or each has a plane of its own. Of two
passes the one along the rows is made while the strip is filled, which then holds its sums.

What makes these loops fast, and is easily lost:

- Sums of four rows stay in registers, two of each: a line that is loaded meets a tap of every row. Eight sums are as
  many as keep two units busy that take four cycles for a product. To fold equal taps would save products, no loads.
- Sums of one plane are rounded and stored at once; only other ones go through scratch memory.
- Blocks of columns whose lines fit the first-level cache, and strips that fit the second; rows are not a multiple of
  4096 bytes apart, since a load is held up by a store to the same address modulo 4096.
- A thread goes on with the strip below, and keeps the rows that both look at.
- One call does all strips that a thread takes: between two calls threads wait for each other's Python.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from numpy.typing import NDArray

from service.engine.loops import rows
from service.engine.loops.calls import COUNTER, IMAGE, MEMORY, OUT, Given, arguments, bytes_at, numbers_at, words_at
from service.engine.loops.compiler import compiled
from service.engine.loops.rows import EACH, FOUR, SHIFTED, TWO, Finish
from service.engine.loops.samples import UINT8
from service.engine.loops.sums import AS_SUMMED, TOGETHER, Taps, sum_along, sum_rows
from service.engine.loops.vectors import lanes_of, load, next_piece, splat, store, zeros

Array = NDArray[Any]


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

    Piece k makes the rows `edges[k]` to `edges[k + 1]` of each phase, `height` at once. A strip moves by `step` rows
    from one of these to the next, and looks at `reach` rows for one. Its rows are `pitch` numbers. Rows of output
    `apart` apart look at rows `distance` numbers apart, and so do the taps of a column.

    The input has `inputs` planes of `length` numbers, to which a row is dealt out by so many numbers `together`, until
    each has `dealt`. The output has `planes` of `columns` numbers, `unit` of one after
    as many of the one before; `block` columns are made at once. What is summed along goes to planes `beside` apart.
    Where `window` is not 0, the sums are those of `reach` rows and `window` columns, which are `beside` numbers apart.
    """

    edges: Array
    height: int
    step: int
    reach: int
    pitch: int
    apart: int
    distance: int
    inputs: int
    together: int
    dealt: int
    length: int
    planes: int
    columns: int
    unit: int
    block: int
    beside: int
    window: int


class Places(NamedTuple):
    """Where things are in the numbers that a thread has for itself, `size` in all.

    A padded `row` as it stands in the image, the same dealt out to planes (`dealt`), the `strip`, the `sums` of
    TOGETHER rows, which are `planes` times TOGETHER times `block` numbers, and the same `joined`.
    """

    row: int
    dealt: int
    strip: int
    sums: int
    joined: int
    size: int


@compiled(noted=True)
def convolve(given: Given, notes: Sequence[tuple[Shapes, Any, Strips, Taps, Taps, Finish, Places]]) -> None:
    """Make piece after piece of the result, as long as the counter gives one that no other thread has taken.

    `rim` is what `Source` has of it. `down.bounds` is for the planes of each phase in turn. Where `along` has taps, one
    in each of its columns, it makes what `down` then sums.
    """
    shapes, rim, strips, along, down, finish, places = arguments(notes)
    source, counter = source_at(given, shapes, rim), words_at(given[COUNTER], (1,))
    out = bytes_at(given[OUT], (shapes.out_rows * shapes.out_row_bytes,))
    image = source.image.reshape(-1)
    numbers = numbers_at(given[MEMORY], (places.size,), down.weights)
    scratch = bytes_at(given[MEMORY], (places.size * numbers.itemsize,))
    while True:
        piece = next_piece(counter)
        if piece >= len(strips.edges) - 1:
            return
        first, last = strips.edges[piece], strips.edges[piece + 1]
        begin = end = first * strips.step  # the padded rows that the strip holds
        while first < last:
            count = min(strips.height, last - first)
            needed, beyond = first * strips.step, (first + count - 1) * strips.step + strips.reach
            for row in range(needed, end):
                target = places.strip + (row - needed) * strips.pitch
                rows.move(numbers, target + (needed - begin) * strips.pitch, target, strips.pitch)
            for row in range(max(needed, end), beyond):
                _fill(source, image, row, strips, along, numbers, places, places.strip + (row - needed) * strips.pitch)
            begin, end = needed, beyond
            if strips.window > 0:
                _sum_boxes(strips, shapes, down, finish, numbers, places, out, first, count)
            else:
                _sum_strip(strips, shapes, down, finish, numbers, scratch, places, out, first, count)
            first += count


@compiled
def source_at(given: Given, shapes: Shapes, rim: Any) -> Source:
    """Give the image at the address that is `given`."""
    image = bytes_at(given[IMAGE], (shapes.rows, shapes.row_bytes))
    return Source(image, shapes.kind, rim.rows, rim.columns, rim.first, rim.channels, rim.value)


@compiled
def _fill(
    source: Source, image: Array, row: int, strips: Strips, along: Taps, numbers: Array, places: Places, target: int
) -> None:
    """Bring padded row `row` of the image to `target`, in planes, and summed along where there are taps for it."""
    summed, dealt = len(along.weights) > 0, strips.inputs > 1
    whole = places.row if summed or dealt else target
    pad(source, image, row, numbers, whole)
    if dealt:
        to = places.dealt if summed else target
        rows.deal(numbers, whole, strips.inputs, strips.together, strips.dealt, to, strips.length)
        whole = to
    if summed:
        for plane in range(strips.planes):
            sum_along(numbers, whole, along, plane, target + plane * strips.beside, strips.columns)


@compiled
def pad(source: Source, image: Array, row: int, numbers: Array, at: int) -> None:
    """Bring a padded row to `at`, as it stands in the image."""
    channels, columns, kind = source.channels, source.columns, source.kind
    width = (source.image.shape[1] >> kind) // channels
    index, first = source.rows[row], source.first
    if index < 0:
        for i in range(len(columns) * channels):
            numbers[at + i] = source.value
        return
    inside = at + first * channels
    rows.widen(kind, image, index * source.image.shape[1], numbers, inside, width * channels)
    for k in range(len(columns) - width):
        x = k if k < first else k + width
        for c in range(channels):
            outside = columns[x] < 0
            sample = source.value if outside else numbers[inside + columns[x] * channels + c]
            numbers[at + x * channels + c] = sample


@compiled
def _sum_strip(
    strips: Strips,
    shapes: Shapes,
    taps: Taps,
    finish: Finish,
    numbers: Array,
    scratch: Array,
    places: Places,
    out: Array,
    first: int,
    count: int,
) -> None:
    """Make `count` rows of each phase from `first` on of what the strip holds. `scratch` has the bytes of `numbers`."""
    block, planes, apart, phases = strips.block, strips.planes, strips.apart, shapes.phases
    kind, size, number, lanes = shapes.out_kind, shapes.out_row_bytes, numbers.itemsize, lanes_of(numbers, TWO)
    plain = finish.norm == 0 and finish.way <= SHIFTED
    straight, packed = plain and planes == 1, plain and planes > 1 and kind == UINT8
    shift = finish.shift if finish.way == SHIFTED else 0
    for c in range(0, strips.columns, block):
        n = min(block, strips.columns - c)
        for phase in range(phases):
            made = min(first + count, (shapes.out_rows - phase + phases - 1) // phases) - first
            for k in range(0, made, TOGETHER * apart):
                for i in range(k, min(k + apart, made)):
                    at = places.strip + i * strips.step * strips.pitch + c
                    height = min(TOGETHER, (made - i + apart - 1) // apart)
                    row, further = (first + i) * phases + phase, apart * phases
                    done = 0
                    if straight and height == TOGETHER:
                        done = n // lanes * lanes
                        byte = row * size + (c << kind)
                        sum_rows(
                            numbers, at, strips.distance, taps, phase, out, byte, further * size, done, kind, shift
                        )
                    elif packed:
                        done = n
                        for p in range(planes):
                            sums = places.sums * number + p * TOGETHER * block
                            sum_rows(
                                numbers, at, strips.distance, taps, phase * planes + p,
                                scratch, sums, block, n, kind, shift,
                            )  # fmt: skip
                        for m in range(height):
                            source, target = places.sums * number + m * block, places.joined * number
                            rows.join(scratch, source, planes, TOGETHER * block, strips.unit, n, target)
                            begin, end = c * planes, min((c + n) * planes, size)
                            rows.copy(scratch, target, end - begin, out, (row + m * further) * size + begin)
                    if done < n:
                        for p in range(planes):
                            sums = (places.sums + p * TOGETHER * block) * number
                            sum_rows(
                                numbers, at + done, strips.distance, taps, phase * planes + p,
                                scratch, sums, block * number, n - done, AS_SUMMED, 0,
                            )  # fmt: skip
                        _store(strips, shapes, finish, numbers, places, out, row, further, height, c + done, n - done)


@compiled
def _store(
    strips: Strips,
    shapes: Shapes,
    finish: Finish,
    numbers: Array,
    places: Places,
    out: Array,
    row: int,
    further: int,
    height: int,
    column: int,
    n: int,
) -> None:
    """Finish the sums of `height` rows, and store them as rows from `row` on, `further` apart, from `column` on."""
    block, planes, at = strips.block, strips.planes, places.sums
    apart = TOGETHER * block
    if finish.way == EACH:
        for p in range(planes):
            for m in range(height):
                rows.scale(numbers, at + p * apart + m * block, n, finish, p)
    if finish.norm > 0:
        planes //= 2
        for p in range(planes):
            for m in range(height):
                x = at + 2 * p * apart + m * block
                rows.combine(numbers, x, x + apart, n, finish, at + p * apart + m * block)
    if planes > 1:
        for m in range(height):
            target = places.joined + m * planes * block
            rows.join(numbers, at + m * block, planes, apart, strips.unit, n, target)
        at, block = places.joined, planes * block
    size, kind = shapes.out_row_bytes, shapes.out_kind
    count = min(n * planes, (size >> kind) - column * planes)
    byte = row * size + (column * planes << kind)
    rows.narrow(kind, numbers, at, block, count, finish, out, byte, further * size, height)


@compiled
def _sum_boxes(
    strips: Strips,
    shapes: Shapes,
    taps: Taps,
    finish: Finish,
    numbers: Array,
    places: Places,
    out: Array,
    first: int,
    count: int,
) -> None:
    """Make `count` rows from `first` on by running sums: down by adding one row and taking another away.

    Along a row windows of 1, 2, 4 ... columns are summed from those of half the width, and added as the binary digits
    of the width say. All numbers are integers that the floats hold exactly; so the order does not matter.
    """
    lanes, beside, weight = lanes_of(numbers, FOUR), strips.beside, taps.weights[0]
    halo, column, sums = (strips.window - 1) * beside, places.joined, places.sums
    powers = column + strips.block + halo + 2 * lanes
    for c in range(0, strips.columns, strips.block):
        n = min(strips.block, strips.columns - c)
        for i in range(count):
            top = places.strip + i * strips.step * strips.pitch + c
            for x in range(0, n + halo, lanes):
                at, total = top + x, zeros(numbers.dtype, lanes)
                if i == 0:
                    for r in range(strips.reach):
                        total += load(numbers, at + r * strips.pitch, lanes)
                else:
                    total = load(numbers, column + x, lanes)
                    for r in range(-strips.step, 0):
                        at = top + x + r * strips.pitch
                        total += load(numbers, at + strips.reach * strips.pitch, lanes) - load(numbers, at, lanes)
                store(numbers, column + x, total)
            rows.move(numbers, column, powers, n + halo)
            for x in range(0, n, lanes):
                store(numbers, sums + x, zeros(numbers.dtype, lanes))
            size, power, done = n + halo, 1, 0
            while done < strips.window:
                if strips.window & power:
                    _add(numbers, sums, powers + done * beside, sums, n)
                    done += power
                size -= power * beside
                _add(numbers, powers, powers + power * beside, powers, size)
                power *= 2
            for x in range(0, n, lanes):
                store(numbers, sums + x, load(numbers, sums + x, lanes) * splat(weight, lanes))
            _store(strips, shapes, finish, numbers, places, out, first + i, 1, 1, c, n)


@compiled
def _add(numbers: Array, x: int, y: int, target: int, count: int) -> None:
    """Add each two numbers; the target may be `x`, and `y` behind it."""
    lanes = lanes_of(numbers, FOUR)
    for i in range(0, count, lanes):
        store(numbers, target + i, load(numbers, x + i, lanes) + load(numbers, y + i, lanes))
