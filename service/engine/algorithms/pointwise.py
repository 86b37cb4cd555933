"""Colour matrices: each pixel of three channels by itself, to gray or to other colours, in one pass over the memory."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.engine import parallel
from service.engine.algorithms.base import Task
from service.engine.algorithms.mixing import HIGHEST
from service.engine.algorithms.ready import ready
from service.engine.algorithms.strips import SLACK
from service.engine.geometry import Padding
from service.engine.loops.lanes import KINDS
from service.engine.loops.pointwise import CHANNELS, PIECE, recolour
from service.engine.rates import RATES
from service.engine.steps import Conv2d


class Pointwise:
    name = "pointwise"

    def accepts(self, task: Task) -> bool:
        step = task.step
        return (
            isinstance(step, Conv2d)
            and (step.kernel_size, step.stride, step.padding, step.groups) == ((1, 1), (1, 1), Padding(), 1)
            and step.weight.shape[:2] in {(1, CHANNELS), (3, CHANNELS)}
            and task.arithmetic == "float32"
            and "float64" not in {task.source, task.target}
        )

    def seconds(self, task: Task) -> float:
        samples = task.output.samples
        woven = samples if task.output.channels > 1 else 0
        moved = task.shape.samples * np.dtype(task.source).itemsize + samples * np.dtype(task.target).itemsize
        return (
            RATES.call
            + moved * RATES.pointwise_byte
            + samples * (RATES.pointwise_sum + RATES.pointwise_store)
            + woven * RATES.pointwise_weave
        )

    def workspace(self, task: Task, threads: int) -> int:  # noqa: ARG002 -- there are none but small arrays
        return SLACK

    def apply(self, task: Task, image: NDArray[Any], threads: int) -> NDArray[Any]:
        matrix, kind, out_kind = _matrix(task), KINDS[task.source], KINDS[task.target]
        # So short a loop that after a rest the way to it counts: one call instead of several makes the bytes of both.
        source = np.frombuffer(image.data.toreadonly(), np.uint8)
        out, counter = np.empty(task.output.samples << out_kind, np.uint8), np.zeros(1, np.int64)

        def work(_: int) -> None:
            recolour(source, kind, *matrix, out, out_kind, counter)

        parallel.each(work, range(min(threads, _pieces(task))), threads)
        return out.view(task.target).reshape(task.output)


class Matrix(NamedTuple):
    weights: NDArray[np.float32]
    divisor: np.float32
    bias: NDArray[np.float32]
    high: np.float32

    @property
    def nbytes(self) -> int:
        return self.weights.nbytes + self.bias.nbytes


@ready
def _matrix(task: Task) -> Matrix:
    step = task.step
    if not isinstance(step, Conv2d):
        raise TypeError(f"no way to compute a {type(step).__name__}")
    weights = np.ascontiguousarray(step.weight.reshape(-1, CHANNELS), np.float32)
    bias = np.zeros(len(weights), np.float32) if step.bias is None else step.bias.astype(np.float32)
    return Matrix(weights, np.float32(step.divisor), bias, np.float32(HIGHEST[task.target]))


def _pieces(task: Task) -> int:
    return -(-task.output.pixels // PIECE)
