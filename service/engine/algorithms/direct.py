"""Convolution by its definition: each tap is a shifted copy of the strip, weighted and added."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.engine.algorithms.base import Task
from service.engine.algorithms.forms import Form, finite, kit_of, tap_seconds
from service.engine.algorithms.rates import rates
from service.engine.algorithms.ready import ready
from service.engine.algorithms.runs import Column, no_taps, table
from service.engine.algorithms.strips import places, workspace
from service.engine.algorithms.work import Sums, Work
from service.engine.machine.compiled import Kit
from service.engine.steps import Conv2d
from service.engine.steps.geometry import Shape
from service.engine.steps.precision import Arithmetic


@dataclass(frozen=True)
class Direct:
    name: str = "direct"

    @property
    def kits(self) -> tuple[Kit, ...]:
        fraction = 1 / 3  # no integer sums for this weight
        return (
            Kit("convolution int16", 0, partial(_smallest, "float32", 1.0)),
            Kit("convolution float32", 1, partial(_smallest, "float32", fraction)),
            Kit("convolution float64", 3, partial(_smallest, "float64", fraction)),
        )

    def needs(self, task: Task) -> tuple[str, ...]:
        return (kit_of(_form(task).number),)

    def accepts(self, task: Task) -> bool:
        return isinstance(task.step, Conv2d)

    def seconds(self, task: Task) -> float:
        form = _form(task)
        products = task.output.samples * prod(form.step.weight.shape[1:])
        mixed = form.step.weight.shape[1] > 1
        columns = _taps(form) // form.step.kernel_size[0]
        return form.seconds(task) + columns * rates().column_setup + products * tap_seconds(form.number, mixed=mixed)

    def workspace(self, task: Task, threads: int) -> int:
        form = _form(task)
        own = places(form.cut, form.layout, form.outputs, form.number, along=False)
        return workspace(own, form.cut, form.layout, threads, form.number, _taps(form))

    def apply(self, task: Task, image: NDArray[Any], threads: int) -> NDArray[Any]:
        return _work(task).apply(image, threads)


@ready
def _work(task: Task) -> Work:
    form = _form(task)
    taps = table(_planes(form), form.number, form.distance, skip_zeros=finite(task))
    return form.work(task, Sums(taps, no_taps(form.number), form.finish(task), form.outputs))


def _smallest(arithmetic: Arithmetic, weight: float) -> None:
    """Compute a single sample; one compiled loop handles all types of samples."""
    step = Conv2d(np.full((1, 1, 1, 1), weight))
    Direct().apply(Task(step, Shape(1, 1, 1), "uint8", "uint8", arithmetic), np.zeros((1, 1, 1), np.uint8), 1)


def _taps(form: Form) -> int:
    return form.step.weight.size * (form.outputs.planes if form.step.shared else 1)


def _planes(form: Form) -> Iterator[list[Column]]:
    """List all columns of taps for each plane of the output."""
    step, weight = form.step, form.step.weight * 2.0**form.places
    if step.shared:
        for channel in range(form.outputs.planes):
            yield list(form.columns_of(weight[0, 0], channel))
        return
    outputs, per_group = weight.shape[:2]
    for output in range(outputs):
        first = output // (outputs // step.groups) * per_group
        kernels = weight[output]
        yield [column for i in range(per_group) for column in form.columns_of(kernels[i], first + i)]


def _form(task: Task) -> Form:
    if not isinstance(task.step, Conv2d):
        raise TypeError(f"no way to compute a {type(task.step).__name__}")
    return Form.of(task.step, task)
