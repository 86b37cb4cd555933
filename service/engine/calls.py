"""Compiled loops on several threads, begun with as little Python as there can be."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from threading import Thread
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.engine.arrays import CACHE_LINE, address, aligned
from service.engine.loops.calls import BROKEN, FINISHED, PROCESSOR, READY, WORDS, locked, noted, run, serve

KEPT_MEMORY = 8 << 20
"""Bytes at most, kept for the next image: to touch new pages takes as long as to widen what they hold."""


class Call:
    """A call of a loop that is the same for every image, but for where samples and memory are."""

    def __init__(self, loop: Callable[..., None], *arguments: Any, room: int = 0) -> None:
        """Take `arguments`: tuples of arrays and numbers. A thread needs `room` bytes for itself, from a line on."""
        self._loop, self._arguments = loop, arguments
        self._room = -(-room // CACHE_LINE) * CACHE_LINE
        self._notes: NDArray[np.uint8] | None = None

    @property
    def nbytes(self) -> int:
        return sum(getattr(part, "nbytes", 0) for some in self._arguments for part in some)

    def __call__(self, image: NDArray[Any], out: NDArray[np.uint8], threads: int) -> None:
        """Make the bytes `out` from a C-contiguous image."""
        if self._notes is None:  # a plan may be made where nothing is computed, nor compiled
            self._notes = noted(self._loop, *self._arguments)
        try:
            crew = _idle.pop()
        except IndexError:
            crew = _Crew()
        crew.run(self._notes, np.frombuffer(image.data.toreadonly(), np.uint8), out, self._room, threads)
        _idle.append(crew)


class _Crew:
    """Threads that wait for the calls of one thread at a time, and the memory in which all of them work."""

    def __init__(self) -> None:
        self._boxes: list[NDArray[np.int64]] = []
        self._threads: list[Thread] = []
        self._places = np.empty(0, np.int64)
        self._memory = np.empty(0, np.uint8)

    def run(
        self, notes: NDArray[np.uint8], image: NDArray[np.uint8], out: NDArray[np.uint8], room: int, threads: int
    ) -> None:
        if threads != len(self._places):
            self._gather(threads)
        if len(self._memory) < room * threads:
            self._memory = aligned((room * threads,), np.uint8, np.empty)
        while (state := run(notes, image, out, self._memory, room, self._places)) >= 0:
            self._leave(state)
        if len(self._memory) > KEPT_MEMORY:
            self._memory = np.empty(0, np.uint8)
        if state == BROKEN:
            raise RuntimeError("a loop failed")

    def _gather(self, threads: int) -> None:
        """Have a box for each of so many threads, the first for the caller."""
        while len(self._boxes) < threads:
            box = np.zeros(WORDS, np.int64)
            box[READY], box[FINISHED], box[PROCESSOR] = locked(), locked(), -1
            self._boxes.append(box)
            if len(self._boxes) > 1:
                self._threads.append(Thread(target=serve, args=(address(box),), name="loops", daemon=True))
                self._threads[-1].start()
        self._boxes[0][PROCESSOR] = -1
        self._places = np.array([address(box) for box in self._boxes[:threads]])

    def _leave(self, processor: int) -> None:
        """Leave a processor, that of the caller, to that.

        Linux wakes a thread where the one that wakes it runs, though another processor is idle, and may leave both
        there for some milliseconds: as long as a small image takes.
        """
        self._boxes[0][PROCESSOR] = processor
        others = os.sched_getaffinity(0) - {processor}
        for thread in self._threads:
            if others and thread.native_id is not None:
                with suppress(OSError):
                    os.sched_setaffinity(thread.native_id, others)


_idle: deque[_Crew] = deque()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_idle.clear)  # threads do not come along into a forked process
