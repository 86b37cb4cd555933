"""Colour matrices: each pixel of three channels by itself, to gray or to other colours, in one pass over the memory."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.engine import parallel
from service.engine.algorithms.base import Task
from service.engine.algorithms.mixing import HIGHEST
from service.engine.algorithms.strips import SLACK, rows_of_bytes, source_bytes
from service.engine.geometry import Padding
from service.engine.loops.lanes import KINDS
from service.engine.loops.pointwise import BLOCK, CHANNELS, PIECE, recolour
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

    def workspace(self, task: Task, threads: int) -> int:
        return min(threads, _pieces(task)) * 4 * task.output.channels * BLOCK + SLACK

    def apply(self, task: Task, image: NDArray[Any], threads: int) -> NDArray[Any]:
        step = task.step
        if not isinstance(step, Conv2d):
            raise TypeError(f"no way to compute a {type(step).__name__}")
        result, outputs = np.empty(task.output, task.target), task.output.channels
        weights = np.ascontiguousarray(step.weight.reshape(outputs, CHANNELS), np.float32)
        bias = np.zeros(outputs, np.float32) if step.bias is None else step.bias.astype(np.float32)
        divisor, high = np.float32(step.divisor), np.float32(HIGHEST[task.target])
        source, kind, out_kind = source_bytes(image).reshape(-1), KINDS[task.source], KINDS[task.target]
        out, counter = rows_of_bytes(result).reshape(-1), np.zeros(1, np.int64)

        def work(_: int) -> None:
            sums = np.empty((outputs, BLOCK), np.float32)
            recolour(source, kind, weights, divisor, bias, high, out, out_kind, counter, sums)

        parallel.each(work, range(min(threads, _pieces(task))), threads)
        return result


def _pieces(task: Task) -> int:
    return -(-task.output.pixels // PIECE)
