"""Pieces of one image side by side: NumPy, SciPy and the compiled loops release the GIL while they work."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import TypeVar

Piece = TypeVar("Piece")


def each(work: Callable[[Piece], object], pieces: Iterable[Piece], threads: int) -> None:
    """Do `work` on every piece; the pieces must not overlap in what they write, so that the order does not matter.

    The calling thread takes pieces like the others: whatever keeps these busy, the work goes on.
    """
    waiting = deque(pieces)

    def take() -> None:
        try:
            while True:
                try:
                    piece = waiting.popleft()
                except IndexError:
                    return
                work(piece)
        except BaseException:
            waiting.clear()
            raise

    helpers = min(threads, len(waiting)) - 1
    futures = _HELPERS.begin(take, helpers) if helpers > 0 else []
    try:
        take()
    finally:
        begun = [future for future in futures if not future.cancel()]
        for future in begun:
            future.exception()  # waits: none may write into a result that has been given up
    for future in begun:
        future.result()


class _Helpers:
    """The threads of a process, as many as were ever asked for at once: to make one takes longer than a small image."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin anew: threads do not come along into a forked process."""
        self._lock = Lock()
        self._size = 0
        self._pool = ThreadPoolExecutor(1)

    def begin(self, work: Callable[[], None], count: int) -> list[Future[None]]:
        with self._lock:
            if count > self._size:
                self._pool.shutdown(wait=False)
                self._size, self._pool = count, ThreadPoolExecutor(count, thread_name_prefix="pieces")
            return [self._pool.submit(work) for _ in range(count)]


_HELPERS = _Helpers()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_HELPERS.forget)
