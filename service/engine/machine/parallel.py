"""Work on pieces of one image in parallel: NumPy, SciPy and the compiled loops release the GIL while they work."""

from __future__ import annotations

import ctypes
import os
import sys
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from threading import Lock, Thread
from typing import TypeVar

Piece = TypeVar("Piece")


def each(work: Callable[[Piece], object], pieces: Iterable[Piece], threads: int) -> None:
    """Do `work` on every piece; pieces must not write to the same memory, so their order does not matter.

    The calling thread takes pieces too, so the work goes on even if the other threads are busy. All work in its
    context, such as that of numpy.errstate.
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
            helpers[-1].begin(partial(copy_context().run, take))
        take()
    finally:
        for helper in helpers:
            failures += helper.end()  # waits: no helper may write to an abandoned result
    if failures:
        raise failures.pop()


def keep_away(thread: Thread, processor: int) -> None:
    """Keep `thread` off `processor`, on which the calling thread runs.

    Linux wakes a thread on the processor of its waker even if another is idle, and may leave both there for some
    milliseconds: as long as a small image takes.
    """
    if thread.native_id is not None and (others := os.sched_getaffinity(0) - {processor}):
        with suppress(OSError):
            os.sched_setaffinity(thread.native_id, others)


class _Helper(Thread):
    """A thread that waits for work; handing work over takes a third of the time of a pool with futures."""

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
        if self._woken.locked():  # else it was woken before and is about to run
            self._woken.release()

    def end(self) -> list[BaseException]:
        """Take the work back, or wait for its end if it has begun; returns its exceptions."""
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
"""The idle threads of a process, as many as ever helped at once: making one takes longer than a small image."""
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_idle.clear)  # threads do not survive a fork
_processor = getattr(ctypes.CDLL(None), "sched_getcpu", None) if sys.platform == "linux" else None
