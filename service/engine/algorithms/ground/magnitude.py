"""The steepness of an image: both derivatives of each piece, and the length of the two."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.engine import parallel
from service.engine.algorithms.base import Task
from service.engine.algorithms.ground.channels import Channels
from service.engine.algorithms.ground.grids import Piece, padded
from service.engine.algorithms.ground.sums import finished, storing_seconds
from service.engine.arrays import stored
from service.engine.rates import rates
from service.engine.steps import GradientMagnitude


class Magnitude:
    name = "magnitude"

    def accepts(self, task: Task) -> bool:
        return isinstance(task.step, GradientMagnitude)

    def seconds(self, task: Task) -> float:
        _, forms = _known(task)
        return rates().call + sum(form.seconds(task) + storing_seconds(task, 2.0) for form in forms)

    def workspace(self, task: Task, threads: int) -> int:
        _, forms = _known(task)
        return max(form.workspace(task, threads, together=2) for form in forms)

    def apply(self, task: Task, image: NDArray[Any], threads: int) -> NDArray[Any]:
        step, (across, down) = _known(task)
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


def _known(task: Task) -> tuple[GradientMagnitude, tuple[Channels, Channels]]:
    """Lay out both derivatives alike: they share a geometry, and the samples of a piece."""
    step = task.step
    if not isinstance(step, GradientMagnitude):
        raise TypeError(f"no gradient in a {type(step).__name__}")
    across, down = Channels.of(task, step.x), Channels.of(task, step.y)
    if across.number != down.number:
        across, down = Channels.of(task, step.x, short=False), Channels.of(task, step.y, short=False)
    return step, (across, down)
