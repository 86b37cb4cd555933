"""Pieces of one image side by side: NumPy, SciPy and the compiled loops release the GIL while they work."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Piece = TypeVar("Piece")


def each(work: Callable[[Piece], object], pieces: Iterable[Piece], threads: int) -> None:
    """Do `work` on every piece; the pieces must not overlap in what they write, so that the order does not matter."""
    waiting = list(pieces)
    if threads <= 1 or len(waiting) <= 1:
        for piece in waiting:
            work(piece)
        return
    with ThreadPoolExecutor(min(threads, len(waiting))) as pool:
        for _ in pool.map(work, waiting):
            pass
