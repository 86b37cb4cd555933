"""Kernels of rank one: the taps of the column down each strip, then those of the row along what comes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.engine.algorithms.base import Task
from service.engine.algorithms.forms import Form, finite
from service.engine.algorithms.ready import ready
from service.engine.algorithms.runs import Column, separable_tap_seconds, table
from service.engine.algorithms.segments import Run, Segmented, wide_enough
from service.engine.algorithms.short import short_places
from service.engine.algorithms.strips import workspace
from service.engine.algorithms.work import Sums, Work
from service.engine.binary import binary_places
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
        products = between * height + out.samples * width
        return form.seconds(task) + out.height * RATES.separable_row + products * separable_tap_seconds(form.number)

    def workspace(self, task: Task, threads: int) -> int:
        form, column, row = _known(task)
        taps = len(column) + form.planes * len(row)
        work = _work(task)
        if isinstance(work, Segmented):
            return work.workspace(threads)
        return workspace(form.cut, form.layout, form.planes, threads, number=form.number, taps=taps, twice=True)

    def apply(self, task: Task, image: NDArray[Any], threads: int) -> NDArray[Any]:
        return _work(task).apply(image, threads)


@ready
def _work(task: Task) -> Work | Segmented:
    form, column, row = _known(task)
    if _in_segments(form, task):
        runs = ([Run(0, tuple(factor.tolist()))] for factor in (column, row))
        return Segmented.of(task, form.rim(task), form.finish(task), form.number, *runs)
    down = list(form.columns_of(column[:, None]))
    channels, weights = range(form.planes), tuple(row.tolist())
    run = form.along(1) - form.along(0) if form.interleaved else 0
    if run:
        along = [[Column(form.along(0), weights)]]
    else:
        along = [[Column(form.along(tap, channel), (w,)) for tap, w in enumerate(weights)] for channel in channels]
    sums = Sums(
        table([down], form.number, form.distance, skip_zeros=finite(task)),
        table(along, form.number, run, skip_zeros=finite(task) and bool(row.any())),
        form.finish(task),
        form.planes,
        form.columns,
        run=run,
    )
    return form.work(task, sums)


def _in_segments(form: Form, task: Task) -> bool:
    step = form.step
    plain = form.interleaved and step.stride == step.dilation == (1, 1)
    return plain and wide_enough(task.output.width, form.number)


def _factors(task: Task, step: Conv2d) -> tuple[Weights, Weights] | None:
    """Find a column and a row; integers where sums must be exact, so that those in between are exact too."""
    if not step.shared:
        return None
    if step.factors is not None and (not task.exact or all(np.all(np.rint(f) == f) for f in step.factors)):
        return step.factors
    return factors(step.weight[0, 0])


def _known(task: Task) -> tuple[Form, Weights, Weights]:
    if isinstance(task.step, Conv2d):
        found = _factors(task, task.step)
        if found is not None:
            return _scaled(task, Form.of(task.step, task), *found)
    raise TypeError(f"no two passes for {task.step}")


def _scaled(task: Task, form: Form, column: Weights, row: Weights) -> tuple[Form, Weights, Weights]:
    """Make integers of the factors where 16 bits are enough for what they sum.

    The sums in between are no larger than the final ones may be: sum |column| is at most sum |column| times sum |row|,
    integers as they are by then.
    """
    most = float(np.abs(column).sum() * np.abs(row).sum())
    places = short_places(task, column, row, most=most, rim=form.step.padding_value)
    if places is None:
        return form._replace(number=task.arithmetic, places=0), column, row
    down, along = (2.0 ** (binary_places(factor) or 0) for factor in (column, row))
    return form._replace(number="int16", places=places), column * down, row * along
