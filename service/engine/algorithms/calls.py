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

from service.engine.algorithms.arrays import CACHE_LINE, address, aligned, bytes_in
from service.engine.loops.calls import BROKEN, FINISHED, PROCESSOR, READY, WORDS, locked, noted, run, serve
from service.engine.machine.parallel import keep_away
from service.engine.steps.geometry import Shape

KEPT_MEMORY = 4 << 20
"""Bytes of each thread, kept for the next image: to touch new pages takes as long as to widen what they hold."""


class Call:
    """A call of a loop that is the same for every image, but for where samples and memory are."""

    def __init__(
        self, loop: Callable[..., None], *arguments: Any, output: Shape, target: str, pieces: int, room: int = 0
    ) -> None:
        """Take `arguments`, tuples of arrays and numbers, and what comes of it: `output` samples of type `target`.

        No more threads than there are `pieces` have anything to do. Each needs `room` bytes for itself, which begin
        with a cache line.
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
        """Count the bytes beside input and output."""
        return self.nbytes + min(threads, self._pieces) * self._room

    def apply(self, image: NDArray[Any], threads: int) -> NDArray[Any]:
        """Make the result of a C-contiguous image."""
        result = np.empty(self._shape, self._type)
        self.fill(np.frombuffer(result, np.uint8), image, threads)
        return result

    def fill(self, out: NDArray[np.uint8], image: NDArray[Any], threads: int) -> None:
        """Make the bytes of the result in `out`."""
        if self._notes is None:  # a plan may be made where nothing is computed, nor compiled
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
    """Threads that wait for the calls of one thread at a time, and the memory in which all of them work."""

    def __init__(self) -> None:
        self.threads = self.room = self.memory = self.boxes = 0
        """How many threads there are, the caller included, and bytes of memory; addresses of that, and of the boxes."""
        self._boxes: list[NDArray[np.int64]] = []
        self._helpers: list[Thread] = []

    def equip(self, threads: int, room: int) -> None:
        """Have as many threads at least, and so much memory."""
        while len(self._boxes) < threads:
            box = np.zeros(WORDS, np.int64)
            box[READY], box[FINISHED] = locked(), locked()
            self._boxes.append(box)
            if len(self._boxes) > 1:
                self._helpers.append(Thread(target=serve, args=(address(box),), name="loops", daemon=True))
                with suppress(RuntimeError):  # no room for one: the caller takes back what nobody takes
                    self._helpers[-1].start()
        self._boxes[0][PROCESSOR] = -1
        self._places = np.array([address(box) for box in self._boxes])
        self.threads, self.boxes = len(self._boxes), address(self._places)
        self.room, self._memory = 0, np.empty(0, np.uint8)  # the former goes first, and there may be none to follow
        self._memory = aligned((room,), np.uint8, np.empty)
        self.room, self.memory = room, address(self._memory)

    def leave(self, processor: int) -> None:
        """Leave a processor, that of the caller, to that."""
        self._boxes[0][PROCESSOR] = processor
        for thread in self._helpers:
            keep_away(thread, processor)


def forget() -> None:
    """Give back the memory that is kept for the next image."""
    for crew in list(_idle):
        crew.equip(0, 0)


def _free_crew() -> _Crew:
    try:
        return _idle.pop()
    except IndexError:
        return _Crew()


_idle: deque[_Crew] = deque()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_idle.clear)  # threads do not come along into a forked process
