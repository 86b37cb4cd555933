"""Run compiled loops on several threads with as little Python as possible."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from threading import Thread
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.engine.algorithms.arrays import CACHE_LINE, address, aligned, bytes_in
from service.engine.loops.calls import BROKEN, FINISHED, PROCESSOR, READY, WORDS, locked, noted, run, serve
from service.engine.machine.parallel import keep_away
from service.engine.steps.geometry import Shape

KEPT_MEMORY = 4 << 20
"""Bytes per thread kept for the next image: touching new pages takes as long as widening the samples in them."""


class Call:
    """A call of a loop: the same for every image, except for the addresses of samples and memory."""

    def __init__(
        self, loop: Callable[..., None], *arguments: Any, output: Shape, target: str, pieces: int, room: int = 0
    ) -> None:
        """Take `arguments`, tuples of arrays and numbers; the result is `output` samples of type `target`.

        At most `pieces` threads have work. Each needs `room` bytes of its own, which begin at a cache line.
        """
        self._loop, self._arguments = loop, arguments
        self._shape, self._type, self._pieces = output, np.dtype(target), pieces
        self._room = -(-room // CACHE_LINE) * CACHE_LINE
        self._notes: NDArray[np.uint64] | None = None
        self._place = 0

    @property
    def nbytes(self) -> int:
        """Count the bytes of the arguments."""
        return bytes_in(*self._arguments)

    def workspace(self, threads: int) -> int:
        """Count the bytes besides input and output."""
        return self.nbytes + min(threads, self._pieces) * self._room

    def apply(self, image: NDArray[Any], threads: int) -> NDArray[Any]:
        """Compute the result for a C-contiguous image."""
        result = np.empty(self._shape, self._type)
        self.fill(np.frombuffer(result, np.uint8), image, threads)
        return result

    def fill(self, out: NDArray[np.uint8], image: NDArray[Any], threads: int) -> None:
        """Write the bytes of the result to `out`."""
        if self._notes is None:  # a plan may be made in a process that neither computes nor has loops
            self._notes = noted(self._loop, *self._arguments)
            self._place = address(self._notes)
        threads = min(threads, self._pieces)
        samples, room, crew = np.frombuffer(image.data.toreadonly(), np.uint8), self._room, _free_crew()
        try:
            if crew.threads < threads or crew.room < threads * room:
                crew.equip(threads, threads * room)
            while (state := run(self._place, samples, out, crew.memory, room, crew.boxes, threads)) >= 0:
                crew.leave(state)
            if room > KEPT_MEMORY:
                crew.equip(0, 0)
        finally:
            _idle.append(crew)
        if state == BROKEN:
            raise RuntimeError("a loop failed")


class _Crew:
    """Threads that serve the calls of one thread at a time, and the memory in which all of them work."""

    def __init__(self) -> None:
        self.threads = self.room = self.memory = self.boxes = 0
        """Number of threads, including the caller; bytes of memory; addresses of the memory and of the boxes."""
        self._boxes: list[NDArray[np.int64]] = []
        self._helpers: list[Thread] = []

    def equip(self, threads: int, room: int) -> None:
        """Provide at least `threads` threads, and `room` bytes of memory."""
        while len(self._boxes) < threads:
            box = np.zeros(WORDS, np.int64)
            box[READY], box[FINISHED] = locked(), locked()
            self._boxes.append(box)
            if len(self._boxes) > 1:
                self._helpers.append(Thread(target=serve, args=(address(box),), name="loops", daemon=True))
                with suppress(RuntimeError):  # no thread can start: the caller takes back the work that nobody takes
                    self._helpers[-1].start()
        self._boxes[0][PROCESSOR] = -1
        self._places = np.array([address(box) for box in self._boxes])
        self.threads, self.boxes = len(self._boxes), address(self._places)
        self.room, self._memory = 0, np.empty(0, np.uint8)  # free the old memory first; allocating the new may fail
        self._memory = aligned((room,), np.uint8, np.empty)
        self.room, self.memory = room, address(self._memory)

    def leave(self, processor: int) -> None:
        """Keep the helpers off the caller's processor."""
        self._boxes[0][PROCESSOR] = processor
        for thread in self._helpers:
            keep_away(thread, processor)


def forget() -> None:
    """Free the memory that is kept for the next image."""
    for crew in list(_idle):
        crew.equip(0, 0)


def _free_crew() -> _Crew:
    try:
        return _idle.pop()
    except IndexError:
        return _Crew()


_idle: deque[_Crew] = deque()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_idle.clear)  # threads do not survive a fork
