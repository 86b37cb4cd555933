"""Kernels of one repeated number: running sums, whose cost hardly depends on the size of the kernel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.engine.algorithms.base import Task
from service.engine.algorithms.forms import Form, kit_of
from service.engine.algorithms.rates import rates
from service.engine.algorithms.ready import ready
from service.engine.algorithms.runs import Column, no_taps, table
from service.engine.algorithms.strips import places, workspace
from service.engine.algorithms.work import Sums, Work
from service.engine.machine.compiled import Kit
from service.engine.steps import Conv2d
from service.engine.steps.precision import EXACT_BELOW

EXACT = {"float32": EXACT_BELOW, "float64": 2.0**53}


@dataclass(frozen=True)
class Box:
    name: str = "box"
    kits: tuple[Kit, ...] = ()

    def needs(self, task: Task) -> tuple[str, ...]:
        return (kit_of(task.arithmetic),)

    def accepts(self, task: Task) -> bool:
        """Accept integers whose sums the floats hold exactly: running sums would accumulate errors."""
        step = task.step
        if not (isinstance(step, Conv2d) and step.shared and step.stride[1] == 1 and step.dilation == (1, 1)):
            return False
        if not (task.source in {"uint8", "uint16"} and np.ptp(step.weight) == 0 and _form(task).interleaved):
            return False
        largest = max(np.iinfo(task.source).max, abs(step.padding_value))
        rim = float(step.padding_value).is_integer()
        return bool(rim and step.weight.size * largest * max(1.0, abs(_weight(step))) < EXACT[task.arithmetic])

    def seconds(self, task: Task) -> float:
        form = _form(task)
        height, width = form.step.kernel_size
        passes = width.bit_length() + width.bit_count()
        read = task.output.samples * min(height, form.step.stride[0])
        return form.seconds(task) + (read + task.output.samples * passes) * rates().box_sample

    def workspace(self, task: Task, threads: int) -> int:
        form = _form(task)
        halo = (form.step.kernel_size[1] - 1) * task.shape.channels
        own = places(form.cut, form.layout, form.outputs, task.arithmetic, along=False, halo=halo)
        return workspace(own, form.cut, form.layout, threads, task.arithmetic, 1)

    def apply(self, task: Task, image: NDArray[Any], threads: int) -> NDArray[Any]:
        return _work(task).apply(image, threads)


@ready
def _work(task: Task) -> Work:
    form = _form(task)
    tap = table([[Column(0, (_weight(form.step),))]], task.arithmetic, 0, skip_zeros=False)
    end, window = form.finish(task), form.step.kernel_size[1]
    return form.work(task, Sums(tap, no_taps(task.arithmetic), end, form.outputs, window))


def _weight(step: Conv2d) -> float:
    return float(step.weight.flat[0])


def _form(task: Task) -> Form:
    if not isinstance(task.step, Conv2d):
        raise TypeError(f"no box in a {type(task.step).__name__}")
    return Form.of(task.step, task, short=False)
