"""The steepness of an image: both derivatives from one pass over each strip, combined before they are stored."""

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
from service.engine.algorithms.strips import Outputs, finish, places, workspace
from service.engine.algorithms.work import Sums, Work
from service.engine.loops.rows import L1, L2
from service.engine.machine.compiled import Kit
from service.engine.steps import Conv2d, GradientMagnitude

NORMS = {"l1": L1, "l2": L2}


@dataclass(frozen=True)
class Gradient:
    name: str = "gradient"
    kits: tuple[Kit, ...] = ()

    def needs(self, task: Task) -> tuple[str, ...]:
        return (kit_of(task.arithmetic),)

    def accepts(self, task: Task) -> bool:
        step = task.step
        return isinstance(step, GradientMagnitude) and _geometry(step.x) == _geometry(step.y)

    def seconds(self, task: Task) -> float:
        step, form = _known(task)
        products = 2 * task.output.samples * prod(step.x.kernel_size)
        return form.seconds(task) + products * tap_seconds(task.arithmetic) + task.output.samples * rates().root_sample

    def workspace(self, task: Task, threads: int) -> int:
        step, form = _known(task)
        own = places(form.cut, form.layout, _outputs(form), form.number, along=False)
        taps = form.outputs.planes * (step.x.weight.size + step.y.weight.size)
        return workspace(own, form.cut, form.layout, threads, form.number, taps)

    def apply(self, task: Task, image: NDArray[Any], threads: int) -> NDArray[Any]:
        return _work(task).apply(image, threads)


@ready
def _work(task: Task) -> Work:
    step, form = _known(task)
    both, channels = (step.x, step.y), range(form.outputs.planes)
    planes = [list(form.columns_of(one.weight[0, 0], channel)) for channel in channels for one in both]
    bias = [0.0 if one.bias is None else float(one.bias[p]) for p in channels for one in both]
    sums = Sums(
        table(planes, form.number, form.distance, skip_zeros=finite(task)),
        no_taps(form.number),
        finish(task, form.number, [one.divisor for one in both] * len(channels), bias, NORMS[step.norm]),
        _outputs(form),
    )
    return form.work(task, sums)


def _outputs(form: Form) -> Outputs:
    """Assign two planes to each plane of the result."""
    return form.outputs._replace(planes=2 * form.outputs.planes)


def _geometry(step: Conv2d) -> tuple[object, ...]:
    window = (step.weight.shape[2:], step.groups, step.shared, step.stride, step.dilation)
    return *window, step.padding, step.padding_mode, step.padding_value


def _known(task: Task) -> tuple[GradientMagnitude, Form]:
    step = task.step
    if not isinstance(step, GradientMagnitude):
        raise TypeError(f"no gradient in a {type(step).__name__}")
    x, y = Form.of(step.x, task, short=False), Form.of(step.y, task, short=False)
    return step, x if y.interleaved else y
