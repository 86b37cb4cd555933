"""Kernels of rank one: the taps of the column down the rows, then those of the row along what comes of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.engine.algorithms.base import Task
from service.engine.algorithms.forms import is_uniform
from service.engine.algorithms.rank_one import filter_of, is_of_rank_one
from service.engine.algorithms.ready import ready
from service.engine.algorithms.segments import WIDE, Run, Segmented, kit_of_segments, wide_enough
from service.engine.algorithms.strips import finish
from service.engine.algorithms.two_passes import TwoPasses
from service.engine.compiled import Kit
from service.engine.geometry import Shape
from service.engine.precision import Arithmetic
from service.engine.steps import Conv2d


@dataclass(frozen=True)
class Separable:
    """Wide rows that stay so go in segments; all others, those of enlarged and reduced images too, as they are."""

    name: str = "separable"

    @property
    def kits(self) -> tuple[Kit, ...]:
        return (
            Kit("two passes int16", 1, partial(_smallest, 1.0, "float32")),
            Kit("two passes float32", 1, partial(_smallest, 1 / 3, "float32")),
            Kit("two passes float64", 3, partial(_smallest, 1 / 3, "float64")),
            Kit("segments float32", 1, partial(_smallest, 1 / 3, "float32", WIDE)),
            Kit("segments float64", 3, partial(_smallest, 1 / 3, "float64", WIDE)),
        )

    def needs(self, task: Task) -> tuple[str, ...]:
        number = filter_of(task).number
        return (kit_of_segments(number) if _in_segments(task) else f"two passes {number}",)

    def accepts(self, task: Task) -> bool:
        return is_of_rank_one(task)

    def seconds(self, task: Task) -> float:
        return filter_of(task).seconds(task)

    def workspace(self, task: Task, threads: int) -> int:
        return _work(task).workspace(threads)

    def apply(self, task: Task, image: NDArray[Any], threads: int) -> NDArray[Any]:
        return _work(task).apply(image, threads)


@ready
def _work(task: Task) -> TwoPasses | Segmented:
    if not _in_segments(task):
        return TwoPasses.of(task)
    known = filter_of(task)
    bias = [0.0] if known.bias is None else known.bias[:1].tolist()
    runs = ([Run(0, tuple(axis.weights[0].tolist()))] for axis in (known.down, known.along))
    return Segmented.of(task, known.rim(task.shape.channels), finish(task, [known.divisor], bias), known.number, *runs)


def _in_segments(task: Task) -> bool:
    """Say whether rows are cut into segments; those add taps in another order than `single_suffices` asks for."""
    step, number = task.step, filter_of(task).number
    plain = isinstance(step, Conv2d) and step.stride == step.dilation == (1, 1) and is_uniform(step.bias)
    return plain and number == task.arithmetic and wide_enough(task.output.width, number)


def _smallest(weight: float, arithmetic: Arithmetic, width: int = 2) -> None:
    """Filter rows that are short, or just wide enough to be cut into segments."""
    step, image = Conv2d(np.full((1, 1, 2, 2), weight)), np.zeros((2, width, 1), np.uint8)
    Separable().apply(Task(step, Shape(*image.shape), "uint8", "uint8", arithmetic), image, 1)
