"""Pieces of one image side by side: NumPy, SciPy and the compiled loops release the GIL while they work."""

from __future__ import annotations

import ctypes
import os
import sys
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from threading import Lock, Thread
from typing import TypeVar

Piece = TypeVar("Piece")


def each(work: Callable[[Piece], object], pieces: Iterable[Piece], threads: int) -> None:
    """Do `work` on every piece; the pieces must not overlap in what they write, so that the order does not matter.

    The calling thread takes pieces like the others: whatever keeps these busy, the work goes on.
    """
    waiting = deque(pieces)
    others = min(threads, len(waiting)) - 1
    if others < 1:
        for piece in waiting:
            work(piece)
        return

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

    helpers: list[_Helper] = []
    failures: list[BaseException] = []
    try:
        for _ in range(others):
            helpers.append(_helper())
            helpers[-1].begin(take)
        take()
    finally:
        for helper in helpers:
            failures += helper.end()  # waits: none may write into a result that has been given up
    if failures:
        raise failures.pop()


def keep_away(thread: Thread, processor: int) -> None:
    """Leave a processor, that of the calling thread, to that.

    Linux wakes a thread where the one that wakes it runs, though another processor is idle, and may leave both there
    for some milliseconds: as long as a small image takes.
    """
    if thread.native_id is not None and (others := os.sched_getaffinity(0) - {processor}):
        with suppress(OSError):
            os.sched_setaffinity(thread.native_id, others)


class _Helper(Thread):
    """A thread that waits for work; to hand it over takes a third of the time that it takes with a pool and futures."""

    def __init__(self) -> None:
        super().__init__(name="pieces", daemon=True)
        self._work: deque[Callable[[], None]] = deque()
        self._failures: list[BaseException] = []
        self._woken, self._done = Lock(), Lock()
        self._woken.acquire()
        self._done.acquire()
        self._caller = -1
        self.start()

    def run(self) -> None:
        while True:
            self._woken.acquire()
            self._help()

    def _help(self) -> None:
        try:
            work = self._work.pop()
        except IndexError:  # the caller was faster
            return
        try:
            work()
        except BaseException as failure:
            self._failures.append(failure)
        self._done.release()

    def begin(self, work: Callable[[], None]) -> None:
        self._keep_away()
        self._work.append(work)
        if self._woken.locked():  # else it has been woken before, and is still on its way
            self._woken.release()

    def end(self) -> list[BaseException]:
        """Take the work back, or if it has been begun wait until it is done; gives what it failed of."""
        try:
            self._work.pop()
        except IndexError:
            self._done.acquire()
        failures, self._failures = self._failures, []
        _idle.append(self)
        return failures

    def _keep_away(self) -> None:
        if _processor is None or (caller := _processor()) == self._caller:
            return
        self._caller = caller
        keep_away(self, caller)


def _helper() -> _Helper:
    try:
        return _idle.pop()
    except IndexError:
        return _Helper()


_idle: deque[_Helper] = deque()
"""The threads of a process, as many as ever helped at once: to make one takes longer than a small image."""
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_idle.clear)  # threads do not come along into a forked process
_processor = getattr(ctypes.CDLL(None), "sched_getcpu", None) if sys.platform == "linux" else None
