"""What the loops of strips are given: made ready once for a task, used for every image of it."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.engine import parallel
from service.engine.algorithms.base import Task
from service.engine.algorithms.strips import SPARE_BYTES, Cut, Layout, Rim, rows_of_bytes, source_bytes
from service.engine.arrays import CACHE_LINE
from service.engine.loops.convolution import (
    BLOCK,
    BLOCK_BYTES,
    Finish,
    Output,
    Scratch,
    Source,
    Strips,
    Taps,
    convolve,
)
from service.engine.loops.lanes import KINDS, SPAN_BYTES, TOGETHER

Bytes = NDArray[np.uint8]

KEPT_MEMORY = 4 << 20


class Sums(NamedTuple):
    """What is computed from every strip.

    The output consists of `phases` that take turns down its rows. A row is `columns` numbers of each of `planes`
    planes, `unit` of one after as many of the one before. The taps of `along`, if any, are for the rows that come of
    `down`.
    """

    down: Taps
    along: Taps
    finish: Finish
    planes: int
    columns: int
    phases: int = 1
    unit: int = 1
    window: int = 0
    """Columns of a window that is summed as a whole, by running sums, and multiplied by the one tap there is."""
    run: int = 0
    """Numbers from one tap of `along` to the next, where these are in columns; of one plane."""


class _Part(NamedTuple):
    """An array of the scratch memory of a thread, and the byte at which it begins."""

    shape: tuple[int, ...]
    number: np.dtype[Any]
    start: int


@dataclass(frozen=True, eq=False)
class Work:
    """A task in the terms of the loops."""

    task: Task
    rim: Rim
    strips: Strips
    sums: Sums
    parts: tuple[_Part, ...]
    room: int

    @classmethod
    def of(cls, task: Task, rim: Rim, cut: Cut, layout: Layout, sums: Sums) -> Work:
        distance = cut.spacing * layout.pitch
        strips = Strips(
            cut.edges(),
            cut.step,
            cut.view,
            cut.spacing // cut.step,
            distance,
            layout.phases,
            sums.window,
            task.shape.channels,
            sums.run,
        )
        byte, numbers = np.dtype(np.uint8), sums.down.weights.dtype
        twice = sums.window > 0 or len(sums.along.offsets) > 0
        dealt = layout.channels * layout.phases > 1
        row_bytes = task.shape.width * task.shape.channels * np.dtype(task.source).itemsize
        parts, end = _laid_out(
            ((row_bytes if dealt else 0,), byte, 0),
            ((cut.highest, layout.pitch), numbers, SPAN_BYTES),
            ((TOGETHER if twice else 0, layout.pitch), numbers, 2 * SPAN_BYTES),
            ((sums.planes, TOGETHER, BLOCK_BYTES), byte, 0),
            ((SPARE_BYTES,), byte, 0),
            ((BLOCK,), sums.finish.scale.dtype, 0),
        )
        return cls(task, rim, strips, sums, parts, end)

    @property
    def nbytes(self) -> int:
        arrays = (*self.rim, *self.strips, *self.sums.down, *self.sums.along)
        return sum(getattr(array, "nbytes", 0) for array in arrays)

    def apply(self, image: NDArray[Any], threads: int) -> NDArray[Any]:
        """Compute the task strip by strip. Where the strips end does not depend on `threads`."""
        result = np.empty(self.task.output, self.task.target)
        task, sums = self.task, self.sums
        source = Source(source_bytes(image), KINDS[task.source], *self.rim)
        out = Output(rows_of_bytes(result), KINDS[task.target], sums.phases, sums.columns, sums.unit)
        counter = np.zeros(1, np.int64)

        def make_strips(_: int) -> None:
            memory = kept.take(self.room)
            scratch = Scratch(*(np.ndarray(shape, number, memory, start) for shape, number, start in self.parts))
            convolve(counter, source, self.strips, sums.down, sums.along, sums.finish, out, scratch)
            kept.give(memory)

        parallel.each(make_strips, range(min(threads, len(self.strips.edges) - 1)), threads)
        return result


def _laid_out(*parts: tuple[tuple[int, ...], np.dtype[Any], int]) -> tuple[tuple[_Part, ...], int]:
    """Lay out arrays, each from a cache line on, where so much behind their ends may be read; give the end of all."""
    laid, end = [], 0
    for shape, number, beyond in parts:
        laid.append(_Part(shape, number, end))
        end += ceil((number.itemsize * prod(shape) + beyond) / CACHE_LINE) * CACHE_LINE
    return tuple(laid), end


class Kept:
    """Memory for strips, kept for the next image: to touch new pages takes as long as to widen what they hold."""

    def __init__(self) -> None:
        self._idle: list[Bytes] = []

    def take(self, size: int) -> Bytes:
        """Give at least `size` bytes that begin with a cache line, whatever they hold."""
        if self._idle and len(memory := self._idle.pop()) >= size:
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
