"""Large kernels on pictures: products of spectra in float32, with our own loops (tiles.py).

Tiles overlap as in ground/overlap_save.py, which uses SciPy's float64 transforms for tasks that must be more exact.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.engine.algorithms.base import Task
from service.engine.algorithms.rates import rates
from service.engine.algorithms.settling import doubtful, settles
from service.engine.algorithms.tiles import tiles, workspace
from service.engine.algorithms.tilings import Needs, Tiling, best_tiling
from service.engine.machine.compiled import Kit
from service.engine.steps import Conv2d
from service.engine.steps.geometry import Padding, Shape

FEWEST_TERMS = 49
"""Number of products at which rounding a sum in float32 errs as much as a transform."""

SETTLED_TAPS = 16
"""Number of products that cost as much as starting one row of them."""


def _smallest() -> None:
    """Filter a single sample with a kernel that is large enough."""
    step = Conv2d(np.ones((1, 1, 7, 7)), padding=Padding(*[3] * 4))
    task = Task(step, Shape(1, 1, 1), "uint8", "uint8", "float32", exact=True)
    Spectra().apply(task, np.zeros((1, 1, 1), np.uint8), 1)


class Spectra:
    name = "spectra"
    kits = (Kit("spectra", 1, _smallest),)

    def needs(self, task: Task) -> tuple[str, ...]:  # noqa: ARG002 -- one interface
        return ("spectra",)

    def accepts(self, task: Task) -> bool:
        return _tiling(task) is not None

    def seconds(self, task: Task) -> float:
        tiling = _tiling(task)
        if tiling is None or not isinstance(task.step, Conv2d):
            raise TypeError(f"no tiles for {task.step}")
        return rates().call + tiling.seconds(Needs.of(task, task.step)) + _settling(task, task.step, tiling)

    def workspace(self, task: Task, threads: int) -> int:
        return workspace(task, threads)

    def apply(self, task: Task, image: NDArray[Any], threads: int) -> NDArray[Any]:
        return tiles(task).apply(image, threads)


def _settling(task: Task, step: Conv2d, tiling: Tiling) -> float:
    """Predict the time for storing a second result, comparing the two, and summing again where they differ."""
    if not task.exact:
        return 0.0
    taps = step.kernel_size[0] * (SETTLED_TAPS + step.field_of_view[1] * step.in_channels)
    again = doubtful(step, tiling.radices) * taps * rates().settle_tap
    return task.output.samples * (rates().settle_sample + again)


def _tiling(task: Task) -> Tiling | None:
    """Choose the tiles of a task if float32 suffices for it.

    The error of a transform is relative to the largest sample of a tile, not of a window: that suffices only for
    pictures, whose largest sample is known.
    """
    step = task.step
    if not isinstance(step, Conv2d) or (not settles(task, step) if task.exact else task.arithmetic != "float32"):
        return None
    few = prod(step.weight.shape[1:]) < FEWEST_TERMS
    return None if few or task.source not in {"uint8", "uint16"} else best_tiling(Needs.of(task, step))
