"""Pieces of one image side by side: NumPy, SciPy and the compiled loops release the GIL while they work."""

from __future__ import annotations

import ctypes
import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from threading import Lock, get_native_id
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
    if helpers <= 0:
        take()
        return
    begun: list[Future[None]] = []
    with _processor_of_its_own() as others:
        futures = _HELPERS.begin(take, helpers, others)
        try:
            take()
        finally:
            begun = [future for future in futures if not future.cancel()]
            for future in begun:
                future.exception()  # waits: none may write into a result that has been given up
    for future in begun:
        future.result()


@contextmanager
def _processor_of_its_own() -> Iterator[set[int]]:
    """Keep this thread on its processor meanwhile; gives the others, or none where that cannot be asked for.

    Linux wakes a thread where the one that wakes it runs, though another processor is idle, and may leave both there
    for some milliseconds: as long as a small image takes.
    """
    allowed = set() if _processor is None else os.sched_getaffinity(0)
    if _processor is None or len(allowed) <= 1:
        yield set()
        return
    own = {_processor()}
    _pin(0, own)
    try:
        yield allowed - own
    finally:
        _pin(0, allowed)


def _pin(thread: int, processors: set[int]) -> None:
    with suppress(OSError):
        os.sched_setaffinity(thread, processors)


_processor = getattr(ctypes.CDLL(None), "sched_getcpu", None) if sys.platform == "linux" else None


class _Helpers:
    """The threads of a process, as many as were ever asked for at once: to make one takes longer than a small image."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin anew: threads do not come along into a forked process."""
        self._lock = Lock()
        self._size = 0
        self._pool = ThreadPoolExecutor(1)
        self._threads: list[int] = []

    def begin(self, work: Callable[[], None], count: int, processors: set[int]) -> list[Future[None]]:
        """Have `count` threads work, on `processors` where these are given."""
        with self._lock:
            if count > self._size:
                self._pool.shutdown(wait=False)
                self._threads = []
                self._size, self._pool = count, ThreadPoolExecutor(count, "pieces", self._enter)
            for thread in self._threads if processors else ():
                _pin(thread, processors)
            return [self._pool.submit(work) for _ in range(count)]

    def _enter(self) -> None:
        self._threads.append(get_native_id())


_HELPERS = _Helpers()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_HELPERS.forget)
