"""Kernels of rank one: the taps of the column down each strip, then those of the row along what comes of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.engine.algorithms.base import Task
from service.engine.algorithms.forms import Form, finite, kit_of
from service.engine.algorithms.rates import rates
from service.engine.algorithms.ready import ready
from service.engine.algorithms.runs import Column, separable_tap_seconds, table
from service.engine.algorithms.segments import WIDE, Run, Segmented, kit_of_segments, wide_enough
from service.engine.algorithms.short import short_places
from service.engine.algorithms.strips import workspace
from service.engine.algorithms.work import Sums, Work
from service.engine.machine.compiled import Kit
from service.engine.steps import Conv2d, Weights
from service.engine.steps.binary import binary_places
from service.engine.steps.geometry import Shape
from service.engine.steps.precision import Arithmetic
from service.engine.steps.taps import factors_of


@dataclass(frozen=True)
class Separable:
    name: str = "separable"

    @property
    def kits(self) -> tuple[Kit, ...]:
        return (
            Kit("segments float32", 1, partial(_smallest, "float32")),
            Kit("segments float64", 3, partial(_smallest, "float64")),
        )

    def needs(self, task: Task) -> tuple[str, ...]:
        form, _, _ = _known(task)
        return (kit_of_segments(form.number) if _in_segments(form, task) else kit_of(form),)

    def accepts(self, task: Task) -> bool:
        return isinstance(task.step, Conv2d) and factors_of(task.step, exact=task.exact) is not None

    def seconds(self, task: Task) -> float:
        form, _, _ = _known(task)
        height, width = form.step.kernel_size
        out = task.output
        between = out.height * form.layout.pitch
        products = between * height + out.samples * width
        return form.seconds(task) + out.height * rates().separable_row + products * separable_tap_seconds(form.number)

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


def _smallest(arithmetic: Arithmetic) -> None:
    """Filter rows that are just wide enough to be cut into segments."""
    step, image = Conv2d(np.full((1, 1, 2, 2), 1 / 3)), np.zeros((2, WIDE, 1), np.uint8)
    Separable().apply(Task(step, Shape(*image.shape), "uint8", "uint8", arithmetic), image, 1)


def _in_segments(form: Form, task: Task) -> bool:
    step = form.step
    plain = form.interleaved and step.stride == step.dilation == (1, 1)
    return plain and wide_enough(task.output.width, form.number)


def _known(task: Task) -> tuple[Form, Weights, Weights]:
    if isinstance(task.step, Conv2d):
        found = factors_of(task.step, exact=task.exact)
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
