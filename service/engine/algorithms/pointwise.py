"""Colour matrices: turn each pixel of three channels into gray or other colours, in one pass over the memory."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.engine.algorithms.base import Task
from service.engine.algorithms.calls import Call
from service.engine.algorithms.rates import rates
from service.engine.algorithms.ready import ready
from service.engine.algorithms.strips import SLACK
from service.engine.loops.pointwise import CHANNELS, PIECE, ROOM, Colours, recolour
from service.engine.loops.samples import KINDS
from service.engine.machine.compiled import Kit
from service.engine.steps import Conv2d
from service.engine.steps.geometry import Padding, Shape


def warm() -> None:
    task = Task(Conv2d(np.ones((1, CHANNELS, 1, 1))), Shape(1, 1, CHANNELS), "uint8", "uint8", "float32")
    Pointwise().apply(task, np.zeros((1, 1, CHANNELS), np.uint8), 1)


class Pointwise:
    name = "pointwise"
    kits = (Kit("pointwise", 1, warm),)

    def needs(self, task: Task) -> tuple[str, ...]:  # noqa: ARG002 -- one interface
        return ("pointwise",)

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
            rates().call
            + moved * rates().pointwise_byte
            + samples * (rates().pointwise_sum + rates().pointwise_store)
            + woven * rates().pointwise_weave
        )

    def workspace(self, task: Task, threads: int) -> int:
        return _call(task).workspace(threads) + SLACK

    def apply(self, task: Task, image: NDArray[Any], threads: int) -> NDArray[Any]:
        return _call(task).apply(image, threads)


@ready
def _call(task: Task) -> Call:
    step = task.step
    if not isinstance(step, Conv2d):
        raise TypeError(f"no way to compute a {type(step).__name__}")
    weights = np.ascontiguousarray(step.weight.reshape(-1, CHANNELS), np.float32)
    bias = np.zeros(len(weights), np.float32) if step.bias is None else step.bias.astype(np.float32)
    number, pixels = np.float32, task.output.pixels
    divisor, scale = number(step.divisor), number(1 / 256 if task.source == "uint8" else 1)
    colours = Colours(pixels, KINDS[task.source], weights, divisor, bias, scale, KINDS[task.target])
    return Call(recolour, colours, output=task.output, target=task.target, pieces=-(-pixels // PIECE), room=ROOM)
