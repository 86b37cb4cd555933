"""Filters of rank one: a row of the result is summed down the rows of the image, and what comes of that along itself.

One loop enlarges, reduces and keeps the size. Down, a row of the result has the taps of its phase. Along, it is dealt
out to planes where windows move by more than one sample, so that what they meet is side by side. Each phase along is
summed by itself, and phases are woven into the row when they are samples again. A few taps are sooner summed for every
window, one sample apart; then the samples are dealt out that are wanted.

A thread keeps the padded rows that it still needs, as the numbers that are summed, in a ring. Bytes of rows that only
one row of the result meets are summed as they stand in the image.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.engine.loops.calls import COUNTER, MEMORY, OUT, Given, arguments, bytes_at, numbers_at, words_at
from service.engine.loops.compiler import compiled
from service.engine.loops.convolution import Shapes, Source, pad, source_at
from service.engine.loops.moving import Moves, move
from service.engine.loops.rows import store_as
from service.engine.loops.samples import UINT8
from service.engine.loops.vectors import LANES, convert, fma, load, next_piece, splat_like, store

Array = NDArray[Any]

TOGETHER = 4 * LANES
"""Numbers of a row that are summed at once."""


class Layout(NamedTuple):
    """How the result is cut, and how rows are laid out.

    Piece k makes the rows `edges[k]` to `edges[k + 1]`. The padded row i is row i % `kept` of the ring, which begins at
    `ring[i % kept]`; so for twice as many, that rows may be counted on. It has `padded` numbers, a phase of a row of
    the result `each`. Plane p has the columns from `residues[p]` on, by the step of `along`; there is none where that
    is 1. `memory` says at which bytes the parts of `Memory` begin, `planes` and `lines` how far apart these are. Rows
    are met `once` where no two rows of the result meet the same, and none has a border.
    """

    edges: Array
    kept: int
    ring: Array
    padded: int
    each: int
    channels: int
    residues: Array
    planes: int
    lines: int
    memory: Array
    averaged: bool


class Taps(NamedTuple):
    """The taps of each phase along one axis: phase p has those from `bounds[p]` to `bounds[p + 1]`.

    Tap t meets what is `offsets[t]` further than where its window begins, which moves by `step` from one output of a
    phase to the next.
    """

    weights: Array
    offsets: Array
    bounds: Array
    step: int


class End(NamedTuple):
    """What becomes of a sum: sum / divisor * scale + bias, rounded half to even and clipped where it is an integer.

    These are `numbers`: there is one bias, or one for each number of a line. Sums of 16 bits that become bytes by a
    division by 2**`shift` alone stay integers; it is negative where they do not, and None for sums of floats.
    """

    numbers: Array
    shift: int | None


class Memory(NamedTuple):
    """What a thread needs for itself.

    The `ring` of padded rows, a row `between` the passes, its `planes`, all of numbers that are summed; `lines` (bytes)
    of each phase of a row of the result; `places` where the rows begin that a window meets; the
    same as bytes.
    """

    ring: Array
    between: Array
    planes: Array
    lines: Array
    places: Array
    between_bytes: Array
    planes_bytes: Array


@compiled(noted=True)
def resample(given: Given, notes: Sequence[tuple[Shapes, Any, Layout, Taps, Taps, Moves, Moves, End]]) -> None:
    """Make piece after piece of the result, as long as the counter gives one that no other thread has taken."""
    shapes, rim, layout, down, along, deal, weave, end = arguments(notes)
    source, counter = source_at(given, shapes, rim), words_at(given[COUNTER], (1,))
    out = bytes_at(given[OUT], (shapes.out_rows * shapes.out_row_bytes,))
    image = source.image.reshape(-1)
    memory, starts, like = given[MEMORY], layout.memory, down.weights
    own = Memory(
        numbers_at(memory + starts[0], ((starts[1] - starts[0]) // like.itemsize,), like),
        numbers_at(memory + starts[1], ((starts[2] - starts[1]) // like.itemsize,), like),
        numbers_at(memory + starts[2], ((starts[3] - starts[2]) // like.itemsize,), like),
        bytes_at(memory + starts[3], (starts[4] - starts[3],)),
        numbers_at(memory + starts[4], (len(layout.ring),), layout.ring),
        bytes_at(memory + starts[1], (starts[2] - starts[1],)),
        bytes_at(memory + starts[2], (starts[3] - starts[2],)),
    )
    while True:
        piece: int = next_piece(counter)
        if piece >= len(layout.edges) - 1:
            return
        phases = len(down.bounds) - 1
        made = layout.edges[piece] // phases * down.step
        for row in range(layout.edges[piece], layout.edges[piece + 1]):
            begin, phase = row // phases * down.step, row % phases
            if layout.averaged:
                _average(source, layout, down, along, begin, own.lines)
            else:
                needed = min(begin + layout.kept, len(source.rows))
                made = max(made, begin)
                while made < needed:
                    pad(source, image, made, own.ring, layout.ring[made % layout.kept])
                    made += 1
                _sum_down(layout, down, phase, begin % layout.kept, own)
                _sum_along(layout, along, deal, own, end, shapes.out_kind)
            _put(own.lines, out, row * shapes.out_row_bytes, shapes.out_row_bytes, weave)


@compiled
def _sum(numbers: Array, at: int, offsets: Array, weights: Array) -> Any:
    """Sum taps for TOGETHER numbers; the tap t meets those from `at` + `offsets[t]` on."""
    total = splat_like(load(numbers, at, TOGETHER), weights[0] * 0)
    for t in range(len(weights)):  # from 0 on: an index that may be negative would be looked at
        samples = load(numbers, at + offsets[t], TOGETHER)
        total = fma(samples, splat_like(samples, weights[t]), total)
    return total


@compiled
def _sum_down(layout: Layout, down: Taps, phase: int, begin: int, own: Memory) -> None:
    first, last = down.bounds[phase], down.bounds[phase + 1]
    weights, offsets = down.weights[first:last], own.places[: last - first]
    for t in range(len(offsets)):
        offsets[t] = layout.ring[begin + down.offsets[first + t]]
    for j in range(0, layout.padded, TOGETHER):
        store(own.between, j, _sum(own.ring, j, offsets, weights))


@compiled
def _average(source: Source, layout: Layout, down: Taps, along: Taps, begin: int, line: Array) -> None:
    """Make a row of means of two bytes by two, rounded half to even, for every window of it.

    Two bytes have the mean x - p / 2, rounded up x, where p tells whether their sum is odd; so two such means come to
    z - (2 r + p + q) / 4. What is taken from z is 1 if that is over a half, or a half and z is odd.
    """
    samples, length, beside = source.image.reshape(-1), source.image.shape[1], along.offsets[0] + along.offsets[1]
    top = source.rows[begin + down.offsets[0]] * length
    bottom = source.rows[begin + down.offsets[1]] * length
    for j in range(0, layout.each, TOGETHER):
        first = min(j, layout.each - TOGETHER)  # nothing is read behind the last row
        x, p = _halved(samples, top + first, bottom + first)
        y, q = _halved(samples, top + first + beside, bottom + first + beside)
        z, r = (x | y) - ((x ^ y) >> splat_like(x, 1)), x ^ y
        less = (r & (p | q)) | ((r | (p & q)) & z)
        store(line, first, z - (less & splat_like(z, 1)))


@compiled
def _halved(samples: Array, a: int, b: int) -> Any:
    """Give the mean of bytes of two places, rounded up; the last bit of the second says whether it was."""
    some, others = load(samples, a, TOGETHER), load(samples, b, TOGETHER)
    return (some | others) - ((some ^ others) >> splat_like(some, 1)), some ^ others


@compiled
def _sum_along(layout: Layout, along: Taps, deal: Moves, own: Memory, end: End, kind: int) -> None:
    planes, size = own.between, own.between.itemsize
    if len(layout.residues):
        planes = own.planes
        for p in range(len(layout.residues)):
            first, columns = layout.residues[p], layout.padded // layout.channels
            count = (columns - first + along.step - 1) // along.step * layout.channels
            move(
                deal, own.between_bytes, first * layout.channels * size,
                own.planes_bytes, p * layout.planes * size, count * size,
            )  # fmt: skip
    for phase in range(len(along.bounds) - 1):
        first, last = along.bounds[phase], along.bounds[phase + 1]
        weights, offsets = along.weights[first:last], along.offsets[first:last]
        line = own.lines[phase * layout.lines : (phase + 1) * layout.lines]
        if not _make_bytes(planes, offsets, weights, end.shift, kind, line, layout.each):
            _make_line(planes, offsets, weights, end.numbers, kind, line, layout.each)


@compiled
def _make_bytes(
    planes: Array, offsets: Array, weights: Array, shift: int | None, kind: int, line: Array, each: int
) -> bool:
    """Make a line of sums that stay integers until they are bytes; tell whether they may."""
    if shift is not None:  # noqa: SIM102 -- for sums of floats the rest is not even compiled
        if shift >= 0 and kind == UINT8:
            some = 1 if shift > 0 else 0
            for j in range(0, each, TOGETHER):
                total = _sum(planes, j, offsets, weights)
                level = total >> splat_like(total, shift)
                # Half to even: half a unit is added, less the last bit of it where the level is even.
                half = splat_like(total, (1 << shift >> 1) - some) + (level & splat_like(total, some))
                store(line, j, convert((total + half) >> splat_like(total, shift), np.uint8))
            return True
    return False


@compiled
def _make_line(
    planes: Array, offsets: Array, weights: Array, numbers: Array, kind: int, line: Array, each: int
) -> None:
    """Make a line of samples of `kind`."""
    divisor, scale, bias, biased = numbers[0], numbers[1], numbers[2], len(numbers) > 3
    for j in range(0, each, TOGETHER):
        result = convert(_sum(planes, j, offsets, weights), numbers.dtype.type)
        if divisor != 1:
            result = result / splat_like(result, divisor)
        biases = load(numbers, j + 2, TOGETHER) if biased else splat_like(result, bias)
        result = fma(result, splat_like(result, scale), biases)
        store_as(kind, result, line, j << kind, TOGETHER, TOGETHER)


@compiled
def _put(lines: Array, out: Array, to: int, length: int, weave: Moves) -> None:
    if len(weave.starts):
        move(weave, lines, 0, out, to, length)
        return
    target = out[to : to + length]
    for i in range(length):
        target[i] = lines[i]
