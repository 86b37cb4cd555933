"""The arguments of the strips' loops: prepared once for a task, used for every image."""

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
    """What is computed from every strip: the taps `along` a row, if any, then the taps `down` the rows."""

    down: Taps
    along: Taps
    finish: Finish
    outputs: Outputs
    window: int = 0
    """Columns of a window that running sums add up as a whole; the sum is multiplied by the only tap."""


class Part(NamedTuple):
    """An array in a thread's scratch memory; loops may read `beyond` bytes past its end."""

    shape: tuple[int, ...]
    number: np.dtype[Any]
    beyond: int = 0


class Parts(NamedTuple):
    """Arrays that begin at cache lines, with their places: laid out once, as this takes as long as a small image."""

    places: tuple[tuple[tuple[int, ...], np.dtype[Any], int], ...]
    room: int
    """Bytes of all arrays."""

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
    """A task as the loops' arguments."""

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
    """Memory for strips, kept for the next image: touching new pages takes as long as widening the samples in them."""

    def __init__(self) -> None:
        self._idle: list[Bytes] = []

    def take(self, size: int) -> Bytes:
        """Return at least `size` bytes that begin at a cache line, with any content."""
        with suppress(IndexError):
            memory = self._idle.pop()
            if len(memory) >= size:
                return memory
        memory = np.empty(size + CACHE_LINE, np.uint8)
        return memory[-memory.ctypes.data % CACHE_LINE :]

    def give(self, memory: Bytes) -> None:
        """Take memory back, unless it is too large to keep."""
        if len(memory) <= KEPT_MEMORY:
            self._idle.append(memory)

    def forget(self) -> None:
        self._idle.clear()


kept = Kept()


def share(loop: Callable[[Counter, Iterator[NDArray[Any]]], None], parts: Parts, pieces: int, threads: int) -> None:
    """Run `loop` on up to `threads` threads, with one shared counter of `pieces` and scratch memory for each thread."""
    counter = np.zeros(1, np.int64)

    def work(_: int) -> None:
        memory = kept.take(parts.room)
        loop(counter, parts.of(memory))
        kept.give(memory)

    parallel.each(work, range(min(threads, pieces)), threads)
