"""The steepness of an image: both derivatives of each piece, and their magnitude."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.engine.algorithms.arrays import stored
from service.engine.algorithms.base import Task
from service.engine.algorithms.ground.channels import Channels
from service.engine.algorithms.ground.grids import Piece, padded
from service.engine.algorithms.ground.sums import finished, storing_seconds
from service.engine.algorithms.rates import rates
from service.engine.algorithms.ready import ready
from service.engine.machine import parallel
from service.engine.steps import GradientMagnitude


class Magnitude:
    name = "magnitude"

    def accepts(self, task: Task) -> bool:
        return isinstance(task.step, GradientMagnitude)

    def seconds(self, task: Task) -> float:
        forms = _forms(task)
        return rates().call + sum(form.seconds() + storing_seconds(task, 2.0) for form in forms)

    def workspace(self, task: Task, threads: int) -> int:
        forms = _forms(task)
        return sum(form.workspace(task, threads, results=6) for form in forms)

    def apply(self, task: Task, image: NDArray[Any], threads: int) -> NDArray[Any]:
        step, (across, down) = _known(task), _forms(task)
        source, result = padded(step.x, image), np.empty(task.output, task.target)

        def compute(piece: Piece) -> None:
            window = across.window()
            across.grid.read(source, piece, across.pixels(window))
            for (sums, place, channels), (others, *_) in zip(
                across.sums(window, piece), down.sums(window, piece), strict=True
            ):
                x, y = _slope(sums, across, task), _slope(others, down, task)
                steepness = np.abs(x) + np.abs(y) if step.norm == "l1" else np.sqrt(x * x + y * y)
                stored(steepness, task.target, result[(*place, channels)])

        parallel.each(compute, across.grid.pieces(), threads)
        return result


def _slope(sums: NDArray[Any], form: Channels, task: Task) -> NDArray[Any]:
    bias = 0.0 if form.step.bias is None else form.step.bias
    return finished(sums, form.divisor, bias, task).astype(task.arithmetic, copy=False)


class _Forms(NamedTuple):
    across: Channels
    down: Channels

    @property
    def nbytes(self) -> int:
        return self.across.nbytes + self.down.nbytes


@ready
def _forms(task: Task) -> _Forms:
    """Lay out both derivatives alike: they share their geometry and the samples of a piece."""
    step = _known(task)
    forms = _Forms(Channels.of(task, step.x), Channels.of(task, step.y))
    if forms.across.number == forms.down.number:
        return forms
    return _Forms(Channels.of(task, step.x, short=False), Channels.of(task, step.y, short=False))


def _known(task: Task) -> GradientMagnitude:
    if not isinstance(task.step, GradientMagnitude):
        raise TypeError(f"no gradient in a {type(task.step).__name__}")
    return task.step
