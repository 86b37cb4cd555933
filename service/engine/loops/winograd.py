"""Windows of 3 x 3 by tiles of 2 x 2 results: samples are transformed, summed over the channels, and transformed back.

After A. Lavin and S. Gray, "Fast algorithms for convolutional neural networks" (2016), F(2x2, 3x3): 16 products for
each tile and channel instead of 36. They are summed as by `mix`: each place of a tile is a window of one pixel.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from numpy.typing import NDArray

from service.engine.loops.calls import COUNTER, MEMORY, OUT, Given, arguments, numbers_at, words_at
from service.engine.loops.compiler import compiled
from service.engine.loops.mixing import PIXELS, Lines, Results, Weights, finish, lay, two_vectors
from service.engine.loops.vectors import VECTOR_BYTES, load, next_piece, store

Array = NDArray[Any]

LANES = VECTOR_BYTES // 4
PAIR = 2 * LANES
"""Outputs that are summed at once."""
SIDE, PLACES = 4, 16
"""The side of a tile of samples, whose results have 2, and its places."""
TILES = PIXELS
"""Worked on at once: what they are transformed to stays in the first-level cache."""
BESIDE = 2 * TILES
"""Pixels of a row of their results."""
PLANES = 12
"""Places of tiles that begin at each pixel: the last column of a tile is the first one of the tile a pixel further."""


class Tiles(NamedTuple):
    """What a thread has for itself, each from some byte of its memory on.

    A strip of `samples`, in rows `pitch` apart; transformed samples, each plane `span` after the one before; sums of
    the places of tiles; two rows of results that have to be finished.
    """

    strip: int
    samples: int
    pitch: int
    planes: int
    span: int
    sums: int
    rows: int


@compiled
def _transform(strip: Array, at: int, pitch: int, step: int, planes: Array, span: int) -> None:
    """Transform the samples, and up to a vector more, of BESIDE pixels of four rows, which begin at strip[at].

    Pixels are `step` samples apart. What comes of sample s and those of the two pixels behind it goes to planes[s], for
    each row of a tile, and column of it, one span further.
    """
    for s in range(0, BESIDE * step, LANES):
        a = at + s
        x0, x1, x2, x3 = _column(strip, a, pitch)
        y0, y1, y2, y3 = _column(strip, a + step, pitch)
        z0, z1, z2, z3 = _column(strip, a + 2 * step, pitch)
        _row(x0 - x2, y0 - y2, z0 - z2, planes, s, span)
        _row(x1 + x2, y1 + y2, z1 + z2, planes, s + 3 * span, span)
        _row(x2 - x1, y2 - y1, z2 - z1, planes, s + 6 * span, span)
        _row(x1 - x3, y1 - y3, z1 - z3, planes, s + 9 * span, span)


@compiled
def _column(strip: Array, at: int, pitch: int) -> Any:
    return (
        load(strip, at, LANES),
        load(strip, at + pitch, LANES),
        load(strip, at + 2 * pitch, LANES),
        load(strip, at + 3 * pitch, LANES),
    )


@compiled
def _row(x: Any, y: Any, z: Any, planes: Array, at: int, span: int) -> None:
    store(planes, at, x - z)
    store(planes, at + span, y + z)
    store(planes, at + 2 * span, z - y)


@compiled
def _transform_back(sums: Array, weights: Weights, lane: int, out: Array, place: int, pitch: int, below: int) -> None:
    """Make the results of TILES tiles, a pair of vectors each, of the sums of their places.

    Lane i of the first pixel goes to out[place + i], with bias[lane + i]; pixels are `pitch` apart, rows `below`.
    """
    bias = load(weights.bias, lane, PAIR)
    for t in range(TILES):
        upper0, lower0 = _two_rows(sums, t)
        upper1, lower1 = _two_rows(sums, t + TILES)
        upper2, lower2 = _two_rows(sums, t + 2 * TILES)
        upper3, lower3 = _two_rows(sums, t + 3 * TILES)
        to = place + 2 * t * pitch
        store(out, to, upper0 + upper1 + upper2 + bias)
        store(out, to + pitch, upper1 - upper2 - upper3 + bias)
        store(out, to + below, lower0 + lower1 + lower2 + bias)
        store(out, to + below + pitch, lower1 - lower2 - lower3 + bias)


@compiled
def _two_rows(sums: Array, tile: int) -> Any:
    a, b = load(sums, tile * PAIR, PAIR), load(sums, (tile + SIDE * TILES) * PAIR, PAIR)
    c, d = load(sums, (tile + 2 * SIDE * TILES) * PAIR, PAIR), load(sums, (tile + 3 * SIDE * TILES) * PAIR, PAIR)
    return a + b + c, b - c - d


@compiled(noted=True)
def mix_tiles(given: Given, notes: Sequence[tuple[Lines, Weights, Results, Tiles]]) -> None:
    """Compute windows of 3 x 3 by tiles of 2 x 2 results.

    `weights` are those of each pair of vectors of outputs, place, channel and lane. Rows of tiles are cut into strips
    as the rows of `mix` are; a padded row has at least BESIDE + 2 pixels, and two vectors may be read beyond the last.
    """
    lines, weights, results, own = arguments(notes)
    w, channels, span, pitch, lanes = weights.weights, lines.channels, own.span, own.pitch, results.pitch
    memory, width, below = given[MEMORY], results.width, BESIDE * results.pitch
    strip = numbers_at(memory + own.strip, (own.samples,), w)
    planes = numbers_at(memory + own.planes, (PLANES * span,), w)
    sums = numbers_at(memory + own.sums, (PLACES * TILES * PAIR,), w)
    rows = numbers_at(memory + own.rows, (2 * below,), w)
    out = numbers_at(given[OUT], (results.rows * width * results.outputs,), w)
    counter, count = words_at(given[COUNTER], (1,)), (results.rows + 1) // 2
    while True:
        piece = next_piece(counter)
        if piece >= results.strips:
            break
        begin, end = count * piece // results.strips, count * (piece + 1) // results.strips
        for r in range(2 * (end - begin) + 2):
            lay(given, lines, 2 * begin + r, strip, r * pitch)
        for y in range(2 * begin, 2 * end, 2):
            whole = results.straight and y + 1 < results.rows
            for each in range(0, width, BESIDE):
                # Tiles may begin at any pixel: the last ones end where the row does.
                x = max(0, min(each, width - BESIDE))
                _transform(strip, (y - 2 * begin) * pitch + x * channels, pitch, channels, planes, span)
                for lane in range(0, lanes, PAIR):
                    first = lane * PLACES * channels
                    for place in range(PLACES):
                        row, column = place // SIDE, place % SIDE
                        at = (3 * row + column % 3) * span + column // 3 * channels
                        to = place * TILES * PAIR
                        two_vectors(planes, at, 2 * channels, weights, first, lanes, sums, to, PAIR)
                        first += PAIR * channels
                    if whole:
                        to = (y * width + x) * lanes + lane
                        _transform_back(sums, weights, lane, out, to, lanes, width * lanes)
                    else:
                        _transform_back(sums, weights, lane, rows, lane, lanes, below)
                if not whole:
                    for i in range(min(2, results.rows - y)):
                        finish(given, rows, below * i, weights, results, y + i, x, min(BESIDE, width))
