"""Kernels of rank one: the taps of the column down each strip, then those of the row along what comes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.engine.algorithms.base import Task
from service.engine.algorithms.forms import Form, finite
from service.engine.algorithms.runs import Column, Number, table
from service.engine.algorithms.strips import workspace
from service.engine.algorithms.work import Sums, Work, ready
from service.engine.rates import RATES
from service.engine.steps import Conv2d, Weights
from service.engine.taps import factors


@dataclass(frozen=True)
class Separable:
    name: str = "separable"

    def accepts(self, task: Task) -> bool:
        return isinstance(task.step, Conv2d) and _factors(task, task.step) is not None

    def seconds(self, task: Task) -> float:
        form, _, _ = _known(task)
        height, width = form.step.kernel_size
        out = task.output
        between = out.height * form.layout.pitch
        return form.seconds(task) + (between * height + out.samples * width) * _tap_seconds(form.number)

    def workspace(self, task: Task, threads: int) -> int:
        form, column, row = _known(task)
        taps = len(column) + form.planes * len(row)
        return workspace(form.cut, form.layout, form.planes, threads, number=form.number, taps=taps, twice=True)

    def apply(self, task: Task, image: NDArray[Any], threads: int) -> NDArray[Any]:
        return _work(task).apply(image, threads)


@ready
def _work(task: Task) -> Work:
    form, column, row = _known(task)
    down = list(form.columns_of(column[:, None]))
    along = [
        [Column(form.along(tap, channel), (weight,)) for tap, weight in enumerate(row.tolist())]
        for channel in range(form.planes)
    ]
    sums = Sums(
        table([down], form.number, form.distance, skip_zeros=finite(task)),
        table(along, form.number, 0, skip_zeros=finite(task) and bool(row.any())),
        form.finish(task),
        form.planes,
        form.columns,
    )
    return form.work(task, sums)


def _tap_seconds(number: Number) -> float:
    return {
        "int16": RATES.separable_tap_short,
        "float32": RATES.separable_tap,
        "float64": RATES.separable_tap_double,
    }[number]


def _factors(task: Task, step: Conv2d) -> tuple[Weights, Weights] | None:
    """Find a column and a row; integers where sums of integers must be exact.

    The sums in between are exact too: with integers they are no larger than the final ones may be, since sum |column|
    is at most sum |column| times sum |row|, which is sum |weight|.
    """
    if not step.shared:
        return None
    if step.factors is not None and (not task.exact or all(np.all(np.rint(f) == f) for f in step.factors)):
        return step.factors
    return factors(step.weight[0, 0])


def _known(task: Task) -> tuple[Form, Weights, Weights]:
    if isinstance(task.step, Conv2d):
        found = _factors(task, task.step)
        if found is not None:
            return Form.of(task.step, task), *found
    raise TypeError(f"no two passes for {task.step}")
