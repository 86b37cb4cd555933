"""The steepness of an image: both derivatives from one reading of each strip, combined before they are stored."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

from numpy.typing import NDArray

from service.engine.algorithms.base import Task
from service.engine.algorithms.forms import Form, finite, kit_of, tap_seconds
from service.engine.algorithms.rates import rates
from service.engine.algorithms.ready import ready
from service.engine.algorithms.runs import no_taps, table
from service.engine.algorithms.strips import finish, workspace
from service.engine.algorithms.work import Sums, Work
from service.engine.machine.compiled import Kit
from service.engine.steps import Conv2d, GradientMagnitude

NORMS = {"l1": 1, "l2": 2}


@dataclass(frozen=True)
class Gradient:
    name: str = "gradient"
    kits: tuple[Kit, ...] = ()

    def needs(self, task: Task) -> tuple[str, ...]:
        return (kit_of(_known(task)[1]),)

    def accepts(self, task: Task) -> bool:
        step = task.step
        return isinstance(step, GradientMagnitude) and _geometry(step.x) == _geometry(step.y)

    def seconds(self, task: Task) -> float:
        step, form = _known(task)
        products = 2 * task.output.samples * prod(step.x.kernel_size)
        return form.seconds(task) + products * tap_seconds(form.number) + task.output.samples * rates().root_sample

    def workspace(self, task: Task, threads: int) -> int:
        step, form = _known(task)
        taps = form.planes * (step.x.weight.size + step.y.weight.size)
        return workspace(form.cut, form.layout, 2 * form.planes, threads, number=form.number, taps=taps, twice=False)

    def apply(self, task: Task, image: NDArray[Any], threads: int) -> NDArray[Any]:
        return _work(task).apply(image, threads)


@ready
def _work(task: Task) -> Work:
    step, form = _known(task)
    both = (step.x, step.y)
    scale = 2.0**form.places
    planes = [
        list(form.columns_of(one.weight[0, 0] * scale, channel)) for channel in range(form.planes) for one in both
    ]
    bias = [0.0 if one.bias is None else float(one.bias[p]) for p in range(form.planes) for one in both]
    sums = Sums(
        table(planes, form.number, form.distance, skip_zeros=finite(task)),
        no_taps(form.number),
        finish(task, [one.divisor for one in both] * form.planes, bias, NORMS[step.norm], form.places),
        2 * form.planes,
        form.columns,
    )
    return form.work(task, sums)


def _geometry(step: Conv2d) -> tuple[object, ...]:
    window = (step.weight.shape[2:], step.groups, step.shared, step.stride, step.dilation)
    return *window, step.padding, step.padding_mode, step.padding_value


def _known(task: Task) -> tuple[GradientMagnitude, Form]:
    step = task.step
    if not isinstance(step, GradientMagnitude):
        raise TypeError(f"no gradient in a {type(step).__name__}")
    x, y = Form.of(step.x, task), Form.of(step.y, task)
    alike = (x.number, x.places) == (y.number, y.places)
    form = x if y.interleaved else y
    return step, form if alike else form._replace(number=task.arithmetic, places=0)
