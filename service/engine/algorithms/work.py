"""What the loops of strips are given: made ready once for a task, used for every image of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from math import ceil, prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.engine.algorithms.arrays import CACHE_LINE
from service.engine.algorithms.base import Task
from service.engine.algorithms.calls import KEPT_MEMORY, Call
from service.engine.algorithms.runs import Number
from service.engine.algorithms.strips import Cut, Layout, Outputs, Rim, box_block, places, shapes
from service.engine.loops.convolution import Strips, convolve
from service.engine.loops.rows import Finish
from service.engine.loops.sums import Taps
from service.engine.machine import parallel

Bytes = NDArray[np.uint8]
Counter = NDArray[np.int64]


class Sums(NamedTuple):
    """What is computed from every strip: the taps of `along`, if any, make of a row of the input what `down` sums."""

    down: Taps
    along: Taps
    finish: Finish
    outputs: Outputs
    window: int = 0
    """Columns of a window that is summed as a whole, by running sums, and multiplied by the one tap there is."""


class Part(NamedTuple):
    """An array of the scratch memory of a thread; of some, so much behind the end may be read."""

    shape: tuple[int, ...]
    number: np.dtype[Any]
    beyond: int = 0


class Parts(NamedTuple):
    """Arrays that begin with a cache line, and where: laid out once, since a small image takes no longer than that."""

    places: tuple[tuple[tuple[int, ...], np.dtype[Any], int], ...]
    room: int
    """Bytes of all."""

    @classmethod
    def laid_out(cls, *parts: Part) -> Parts:
        places, end = [], 0
        for shape, number, beyond in parts:
            places.append((shape, number, end))
            end += ceil((number.itemsize * prod(shape) + beyond) / CACHE_LINE) * CACHE_LINE
        return cls(tuple(places), end)

    @property
    def starts(self) -> NDArray[np.intp]:
        return np.array([start for _, _, start in self.places])

    def of(self, memory: Bytes) -> Iterator[NDArray[Any]]:
        return (np.ndarray(shape, number, memory, start) for shape, number, start in self.places)


class Work(Call):
    """A task in the terms of the loops."""

    @classmethod
    def of(cls, task: Task, rim: Rim, cut: Cut, layout: Layout, number: Number, sums: Sums) -> Work:
        outputs, channels = sums.outputs, task.shape.channels
        along, halo = len(sums.along.weights) > 0, (sums.window - 1) * channels if sums.window else None
        own = places(cut, layout, outputs, number, along=along, halo=halo)
        pitch = outputs.planes * outputs.beside if along else layout.pitch
        strips = Strips(
            cut.edges(),
            cut.height,
            cut.step,
            cut.view,
            pitch,
            cut.spacing // cut.step,
            cut.spacing * pitch,
            layout.planes,
            layout.unit,
            layout.dealt,
            layout.length,
            outputs.planes,
            outputs.columns,
            outputs.unit,
            outputs.block if halo is None else box_block(halo),
            channels if sums.window else outputs.beside,
            sums.window,
        )
        return cls(
            convolve,
            shapes(task, outputs.phases),
            rim,
            strips,
            sums.along,
            sums.down,
            sums.finish,
            own,
            output=task.output,
            target=task.target,
            pieces=cut.count,
            room=own.size * np.dtype(number).itemsize,
        )


class Kept:
    """Memory for strips, kept for the next image: to touch new pages takes as long as to widen what they hold."""

    def __init__(self) -> None:
        self._idle: list[Bytes] = []

    def take(self, size: int) -> Bytes:
        """Give at least `size` bytes that begin with a cache line, whatever they hold."""
        with suppress(IndexError):
            memory = self._idle.pop()
            if len(memory) >= size:
                return memory
        memory = np.empty(size + CACHE_LINE, np.uint8)
        return memory[-memory.ctypes.data % CACHE_LINE :]

    def give(self, memory: Bytes) -> None:
        """Take back what is not too large to be kept."""
        if len(memory) <= KEPT_MEMORY:
            self._idle.append(memory)

    def forget(self) -> None:
        self._idle.clear()


kept = Kept()


def share(loop: Callable[[Counter, Iterator[NDArray[Any]]], None], parts: Parts, pieces: int, threads: int) -> None:
    """Have up to `threads` threads do `loop`, all with one counter of `pieces`, each with scratch memory of its own."""
    counter = np.zeros(1, np.int64)

    def work(_: int) -> None:
        memory = kept.take(parts.room)
        loop(counter, parts.of(memory))
        kept.give(memory)

    parallel.each(work, range(min(threads, pieces)), threads)
