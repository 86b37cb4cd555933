"""Convolution in two passes, down and along, of rows that are cut into segments: one for each lane of a vector.

Lane i of a vector holds a number of segment i, and the next vector what stands beside it in each. So a tap along a row
shifts by whole vectors, as one down the rows does: no load crosses a cache line, all sums share their loads, and
results of several planes are brought together by storing vectors in turn. Samples are dealt out to lanes when they are
widened and brought back when they are stored, while they are bytes. After T. Henretty et al., "Data Layout
Transformation for Stencil Computations on Short-Vector SIMD Architectures" (2011).

A thread keeps the widened rows that it still needs in a ring.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.engine.loops.calls import MEMORY, OUT, bytes_at, counter_at, numbers_at
from service.engine.loops.compiler import compiled
from service.engine.loops.convolution import CONTRACT, Finish, Output, Shapes, Source, source_at
from service.engine.loops.dealing import SHARE, collect, collect_bytes, spread
from service.engine.loops.lanes import AS_SUMMED, FOUR, UINT8, fetch, next_piece
from service.engine.loops.sums import LINES, End, sum_lines

Array = NDArray[Any]

CACHE_LINE = 64
BLOCK = 128
"""Bytes of each segment that are made before they are brought back, about: two cache lines, which are fetched once."""


class Segments(NamedTuple):
    """How the output is cut, and how rows are laid out.

    Piece k makes the rows `edges[k]` to `edges[k + 1]` of each phase, row i from the `reach` padded rows from i on. A
    row of output consists of groups of `planes` samples, `channels` of each phase; so many numbers a group moves by in
    the input. Tile t begins with group `tiles[t]`, may overlap the one before, and has one segment of `each` groups for
    each lane. A segment of the input begins at `starts[i]`, of the output at `begins[i]` of the tile. It is looked at
    for `length` numbers, and in each tile the places `outside[rims[t] : rims[t + 1]]` have the value of the rim.

    Padded row i is row i % `kept` of the ring, where rows are `pitch` numbers; `ring` gives their places, twice, and
    `beside` those of the numbers of a channel in a widened tile, which has room for `filled` numbers of each lane.
    `memory` says at which bytes the parts of `Memory` begin.
    """

    edges: Array
    reach: int
    tiles: Array
    each: int
    planes: int
    channels: int
    starts: Array
    begins: Array
    length: int
    outside: Array
    rims: Array
    kept: int
    ring: Array
    beside: Array
    filled: int
    pitch: int
    memory: Array


class Runs(NamedTuple):
    """Runs of taps that follow one another.

    Run t has the weights `bounds[t]` to `bounds[t + 1]`, at least one, meets lines from `firsts[t]` on, and is the same
    in reverse for the first `folded[t]` of them.
    """

    weights: Array
    bounds: Array
    firsts: Array
    folded: Array


class Memory(NamedTuple):
    """What a thread needs for itself.

    A padded row of samples, `line` (bytes); a `tile` of it, as numbers; the `ring` (rows, numbers) of rows that are
    summed along; BLOCK bytes of the result for each lane of LINES rows, `vectors` (bytes).
    """

    line: Array
    tile: Array
    ring: Array
    vectors: Array


@compiled(fastmath=CONTRACT)
def convolve_segments(
    given: Array, shapes: Shapes, rim: Any, segments: Segments, down: Runs, along: Runs, finish: Finish
) -> None:
    """Make piece after piece of the result, as long as the counter gives one that no other thread has taken.

    `down` has one run for each phase of the rows, `along` for each phase of the columns.
    """
    source, counter = source_at(given, shapes, rim), counter_at(given)
    out = Output(bytes_at(given[OUT], (shapes.out_rows, shapes.out_row_bytes)), shapes.out_kind, shapes.phases, 0, 0)
    starts, like = segments.memory + given[MEMORY], along.weights
    own = Memory(
        bytes_at(starts[0], (starts[1] - starts[0],)),
        numbers_at(starts[1], (segments.filled * len(segments.starts),), like),
        numbers_at(starts[2], (segments.kept, segments.pitch), like),
        bytes_at(starts[3], (LINES * BLOCK * len(segments.starts),)),
    )
    pixels, image, sums = source.image.reshape(-1), out.image.reshape(-1), own.ring.reshape(-1)
    target = sums.view(np.uint8)
    while True:
        piece: int = next_piece(counter)
        if piece >= len(segments.edges) - 1:
            return
        first, end = segments.edges[piece], segments.edges[piece + 1]
        made = first
        for i in range(first, end, LINES):
            needed = min(i + LINES - 1 + segments.reach, len(source.rows))
            while made < needed:
                _make_row(source, pixels, segments, along, finish, own, target, made)
                made += 1
            for phase in range(out.phases):
                _sum_down(segments, down, phase, finish, out, own, sums, image, i, min(LINES, end - i))


@compiled(fastmath=CONTRACT)
def _make_row(
    source: Source, pixels: Array, segments: Segments, along: Runs, finish: Finish, own: Memory, target: Array, row: int
) -> None:
    """Make a row of the ring, whose bytes are `target`: pad a row, widen tile after tile and sum it along."""
    index, lanes, size = source.rows[row], len(segments.starts), 1 << source.kind
    length, tiles, pitch = source.image.shape[1], len(segments.tiles), own.ring.shape[1]
    if index < 0:
        for k in range(len(own.tile)):
            own.tile[k] = source.value
    else:
        _pad(source, pixels, index, own.line)
    following = source.rows[min(row + 1, len(source.rows) - 1)]
    for t in range(tiles):
        for k in range(t * length // tiles, (t + 1) * length // tiles, CACHE_LINE):
            fetch(pixels, max(following, 0) * length + k, 0, 3)
        if index >= 0:
            for j in range(0, segments.length, SHARE // size):
                spread(
                    own.line,
                    segments.tiles[t] * segments.channels + j,
                    segments.starts,
                    source.kind,
                    own.tile,
                    j * lanes,
                )
            for k in range(segments.rims[t], segments.rims[t + 1]):
                own.tile[segments.outside[k]] = source.value
        _sum_along(
            segments,
            along,
            finish,
            own,
            target,
            (row % segments.kept) * pitch + t * segments.each * segments.planes * lanes,
        )


@compiled
def _pad(source: Source, pixels: Array, row: int, line: Array) -> None:
    """Put a row of samples and its rim, but for the value of the rim, into `line`."""
    size, first, length = 1 << source.kind, source.first, source.image.shape[1]
    begin, at, width = np.uint64(first * size), np.uint64(row * length), length // size
    for k in range(np.uint64(length)):
        line[begin + k] = pixels[at + k]
    for k in range(len(source.columns) - width):
        x = k if k < first else k + width
        sample = source.columns[x]
        for b in range(size if sample >= 0 else 0):
            line[x * size + b] = pixels[row * length + sample * size + b]


@compiled(fastmath=CONTRACT)
def _sum_along(segments: Segments, along: Runs, finish: Finish, own: Memory, target: Array, first: int) -> None:
    """Sum the widened tile along, to number `first` of the ring."""
    lanes, planes, channels = len(segments.starts), segments.planes, segments.channels
    one, size = finish.high / finish.high, own.tile.itemsize
    end = End(one, one, one - one, one, -1)
    for g in range(0, segments.each, LINES):
        group = min(g, segments.each - LINES)
        p = 0
        for phase in range(planes // channels):
            line, start, folded = along.firsts[phase], along.bounds[phase], along.folded[phase]
            taps = along.bounds[phase + 1] - start
            for channel in range(channels):
                sum_lines(
                    own.tile, (group * channels + channel) * lanes, segments.beside, line, along.weights, start, taps,
                    folded, end, AS_SUMMED, target, (first + (group * planes + p) * lanes) * size,
                    planes * lanes * size,
                )  # fmt: skip
                p += 1


@compiled(fastmath=CONTRACT)
def _sum_down(
    segments: Segments,
    down: Runs,
    phase: int,
    finish: Finish,
    out: Output,
    own: Memory,
    sums: Array,
    image: Array,
    first: int,
    count: int,
) -> None:
    """Make the rows of `phase` that belong to the `count` padded rows from `first` on."""
    lanes, size = len(segments.starts), 1 << out.kind
    end = End(finish.divisor[0], finish.scale[0], finish.bias[0], finish.high, finish.shift)
    line, start, folded = first % segments.kept + down.firsts[phase], down.bounds[phase], down.folded[phase]
    taps, pitch = down.bounds[phase + 1] - start, out.image.shape[1] // size
    length, share = segments.each * segments.planes, SHARE // size
    blocks = (length * size + BLOCK - 1) // BLOCK
    block = (length + blocks - 1) // blocks
    above = first * out.phases + phase
    made = min(count, (len(out.image) - above + out.phases - 1) // out.phases)
    for j in range(len(segments.tiles) * blocks):
        t, begin = j // blocks, min(j % blocks * block, length - block)
        place = segments.tiles[t] * segments.planes + begin
        for k in range(block):
            row = above + k % LINES * out.phases
            if row < len(out.image):
                for lane in range(k // LINES * lanes * LINES // block, (k // LINES + 1) * lanes * LINES // block):
                    ahead = (row * pitch + place + segments.begins[lane] + block) * size
                    for b in range(CACHE_LINE - 1, BLOCK, CACHE_LINE):
                        fetch(image, ahead + b, 1, 3)
            sum_lines(
                sums, (t * length + begin + k) * lanes, segments.ring, line, down.weights, start, taps, folded,
                end, out.kind, own.vectors, k * lanes * size, block * lanes * size,
            )  # fmt: skip
        for k in range(0, block, share):
            some = min(k, block - share)
            if out.kind == UINT8:
                for r in range(0, made, FOUR):
                    collect_bytes(
                        own.vectors,
                        FOUR * (r // FOUR * block + some) * lanes,
                        segments.begins,
                        image,
                        (above + r * out.phases) * pitch + place + some,
                        out.phases * pitch,
                        made - r,
                        sums,
                    )
                continue
            for r in range(made):
                collect(
                    own.vectors,
                    r * block + some,
                    segments.begins,
                    out.kind,
                    image,
                    (above + r * out.phases) * pitch + place + some,
                    sums,
                )
