"""Kernels of rank one: the row's taps along each line, then the column's taps down the results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.engine.algorithms.base import Task
from service.engine.algorithms.forms import Form, finite, kit_of
from service.engine.algorithms.rates import rates
from service.engine.algorithms.ready import ready
from service.engine.algorithms.runs import Column, separable_tap_seconds, table
from service.engine.algorithms.short import short_places
from service.engine.algorithms.strips import places, workspace
from service.engine.algorithms.work import Sums, Work
from service.engine.machine.compiled import Kit
from service.engine.steps import Conv2d, Weights
from service.engine.steps.binary import binary_places
from service.engine.steps.taps import factors_of


@dataclass(frozen=True)
class Separable:
    name: str = "separable"
    kits: tuple[Kit, ...] = ()

    def needs(self, task: Task) -> tuple[str, ...]:
        return (kit_of(_known(task)[0].number),)

    def accepts(self, task: Task) -> bool:
        return isinstance(task.step, Conv2d) and factors_of(task.step, exact=task.exact) is not None

    def seconds(self, task: Task) -> float:
        form, column, row = _known(task)
        out, cut = task.output, form.cut
        lines = cut.rows * cut.step + cut.count * (cut.view - cut.step)
        products = lines * out.width * out.channels * len(row) + out.samples * len(column)
        rows = out.height * rates().separable_row
        return form.seconds(task) + rows + products * separable_tap_seconds(form.number)

    def workspace(self, task: Task, threads: int) -> int:
        form, column, row = _known(task)
        own = places(form.cut, form.layout, form.outputs, form.number, along=True)
        taps = form.outputs.planes * (len(column) + len(row))
        return workspace(own, form.cut, form.layout, threads, form.number, taps)

    def apply(self, task: Task, image: NDArray[Any], threads: int) -> NDArray[Any]:
        return _work(task).apply(image, threads)


@ready
def _work(task: Task) -> Work:
    form, column, row = _known(task)
    channels, beside = range(form.outputs.planes), form.outputs.beside
    pitch = len(channels) * beside
    along = [[Column(form.along(tap, channel), (w,)) for tap, w in enumerate(row.tolist())] for channel in channels]
    down = [list(form.columns_at(column[:, None], pitch, [channel * beside])) for channel in channels]
    sums = Sums(
        table(down, form.number, form.cut.spacing * pitch, skip_zeros=finite(task)),
        table(along, form.number, 0, skip_zeros=finite(task) and bool(row.any())),
        form.finish(task),
        form.outputs,
    )
    return form.work(task, sums)


def _known(task: Task) -> tuple[Form, Weights, Weights]:
    if isinstance(task.step, Conv2d):
        found = factors_of(task.step, exact=task.exact)
        if found is not None:
            form, column, row = _scaled(task, Form.of(task.step, task, short=False), *found)
            return form.cut_again(form.outputs.planes * form.outputs.beside), column, row
    raise TypeError(f"no two passes for {task.step}")


def _scaled(task: Task, form: Form, column: Weights, row: Weights) -> tuple[Form, Weights, Weights]:
    """Turn the factors into integers if 16 bits suffice for their sums.

    Intermediate sums are no larger than the final ones may be: sum |row| is at most sum |column| times sum |row|, as
    all factors are integers by then.
    """
    most = float(np.abs(column).sum() * np.abs(row).sum())
    uniform = form.step.bias is None or bool(np.ptp(form.step.bias) == 0)
    places = short_places(task, column, row, most=most, rim=form.step.padding_value) if uniform else None
    if places is None:
        return form, column, row
    down, along = (2.0 ** (binary_places(factor) or 0) for factor in (column, row))
    return form._replace(number="int16", places=places), column * down, row * along
