"""Pixels dealt out to planes, and planes woven into pixels, sixteen bytes at a time.

Where each of sixteen bytes comes from is a table, the same for all pixels of some size: so one loop serves samples of
every kind, any few channels and any number of planes, and none of them is compiled for itself.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from numpy.typing import NDArray

from service.engine.loops.compiler import compiled
from service.engine.loops.vectors import load, look_up, store

Array = NDArray[Any]

BLOCK = 16
"""Bytes that are put together at once."""
PAIR = 2


class Moves(NamedTuple):
    """Where the bytes of a row come from.

    Block b consists of bytes of some windows of the source, each of BLOCK bytes: window w begins at `starts[b, w]`, and
    `places[b, w]` (flat) says which byte of it comes to each place, 255 that none does. The number of windows is even.
    What follows the last block is as the first, from `advance` bytes further in the source.
    """

    starts: Array
    places: Array
    advance: int


@compiled
def move(moves: Moves, source: Array, at: int, target: Array, to: int, length: int) -> None:
    """Put `length` bytes together from `to` on; byte 0 of the windows is byte `at` of the source.

    As much as a window may be read behind the bytes that are taken.
    """
    blocks, windows = moves.starts.shape
    for b in range(blocks):
        for w in range(0, windows, PAIR):
            first, second = at + moves.starts[b, w], at + moves.starts[b, w + 1]
            places = load(moves.places, (b * windows + w) * BLOCK, BLOCK)
            others = load(moves.places, (b * windows + w + 1) * BLOCK, BLOCK)
            for put in range(to + BLOCK * b, to + length - BLOCK + 1, BLOCK * blocks):
                found = look_up(load(source, first, BLOCK), places) | look_up(load(source, second, BLOCK), others)
                store(target, put, found if w == 0 else found | load(target, put, BLOCK))
                first += moves.advance
                second += moves.advance
    done = length // BLOCK
    base, row = at + done // blocks * moves.advance, done % blocks * windows
    for i in range(length % BLOCK):
        for w in range(windows):
            place = moves.places[(row + w) * BLOCK + i]
            if place < BLOCK:
                target[to + done * BLOCK + i] = source[base + moves.starts[done % blocks, w] + place]
