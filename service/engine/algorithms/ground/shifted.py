"""Convolution by its definition, channel by channel: each tap is a shifted copy of the image, weighted and added."""

from __future__ import annotations

from typing import Any

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
from service.engine.steps import Conv2d, ConvTranspose2d


class Shifted:
    name = "shifted"

    def accepts(self, task: Task) -> bool:
        step = task.step
        if isinstance(step, Conv2d):
            return bool(step.weight.shape[1] == 1)
        return isinstance(step, ConvTranspose2d) and (step.shared or len(step.weight) == step.groups)

    def seconds(self, task: Task) -> float:
        form = _form(task)
        return rates().call + form.seconds() + storing_seconds(task, form.divisor)

    def workspace(self, task: Task, threads: int) -> int:
        return _form(task).workspace(task, threads)

    def apply(self, task: Task, image: NDArray[Any], threads: int) -> NDArray[Any]:
        form = _form(task)
        source, result = padded(form.step, image), np.empty(task.output, task.target)

        def compute(piece: Piece) -> None:
            window = form.window()
            form.grid.read(source, piece, form.pixels(window))
            for sums, place, channels in form.sums(window, piece):
                bias = 0.0 if form.step.bias is None else form.step.bias[channels]
                stored(finished(sums, form.divisor, bias, task), task.target, result[(*place, channels)])

        parallel.each(compute, form.grid.pieces(), threads)
        return result


@ready
def _form(task: Task) -> Channels:
    if not isinstance(task.step, Conv2d | ConvTranspose2d):
        raise TypeError(f"nothing to shift for a {type(task.step).__name__}")
    return Channels.of(task, task.step)
