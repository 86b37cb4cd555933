"""Blend two results of a chain sample by sample. A blend is no algorithm of a step, as it has two inputs.

Alpha: "preserve" sums the colours unweighted by alpha, and keeps the alpha of the result so far. "premultiply" weights
each colour by its alpha, sums alphas with the same weights, normalised to gain 1, and divides. "auto" is "preserve" if
the weights sum to zero, and "premultiply" otherwise: a blur followed by a blend then equals one kernel that does both.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.engine.algorithms.arrays import stored
from service.engine.algorithms.base import Task
from service.engine.algorithms.rates import rates
from service.engine.jobs.planner import THREADS, Choice
from service.engine.jobs.transparency import TRACE, Planes
from service.engine.machine import parallel
from service.engine.spec.spec import Alpha
from service.engine.steps import Blend

Image = NDArray[Any]

STRIP_BYTES = 1 << 18
"""Approximate bytes of the sums of a strip of rows."""
PASSES = 4
"""Passes over the samples: two products, their sum, and storing."""


def choice(task: Task) -> Choice:
    """Describe the only way to compute a blend."""
    seconds = rates().call + PASSES * task.output.samples * rates().ground_sample
    return Choice(task, "blend", seconds, THREADS[0] * 3 * _strip_bytes(task), THREADS[0])


def blend(chosen: Choice, planes: Planes, other: Planes, mode: Alpha, opaque: int, threads: int) -> Planes:
    """Sum the result so far, `planes`, and `other`, of the same shape; either both have an alpha plane or neither."""
    task, step = chosen.task, _known(chosen.task)
    if planes.alpha is None or other.alpha is None:
        return Planes(_summed(task, planes.colour, other.colour, threads))
    first, second = step.weights.tolist()
    bias = 0.0 if step.bias is None else step.bias
    divided = planes.divided or other.divided
    if mode == "preserve" or (mode == "auto" and step.sums_to_zero):
        colour = first * planes.colour.astype(np.float64) + second * other.colour.astype(np.float64) + bias
        return Planes(colour, planes.alpha, divided)
    above, beneath = first * planes.alpha.astype(np.float64), second * other.alpha.astype(np.float64)
    cover, total = above + beneath, 1.0 if step.sums_to_zero else first + second
    colour = planes.colour * above
    colour += other.colour * beneath
    alpha = cover / total
    alpha[np.abs(alpha) <= TRACE * opaque] = 0
    colour *= total
    np.divide(colour, cover, out=colour, where=alpha > 0)
    np.copyto(colour, 0, where=alpha <= 0)
    return Planes(colour + bias, alpha, divided=True)


def _summed(task: Task, first: Image, second: Image, threads: int) -> Image:
    step, number = _known(task), np.dtype(task.arithmetic)
    weights, result = step.weights.astype(number), np.empty(task.output, task.target)

    def sum_strip(rows: slice) -> None:
        sums = np.multiply(first[rows], weights[0], dtype=number)
        sums += np.multiply(second[rows], weights[1], dtype=number)
        if step.bias is not None:
            sums += step.bias.astype(number)
        stored(sums, task.target, result[rows])

    parallel.each(sum_strip, _strips(task), threads)
    return result


def _strips(task: Task) -> Iterator[slice]:
    rows = max(1, STRIP_BYTES // _row_bytes(task))
    return (slice(top, top + rows) for top in range(0, task.output.height, rows))


def _strip_bytes(task: Task) -> int:
    return max(STRIP_BYTES, _row_bytes(task))


def _row_bytes(task: Task) -> int:
    return task.output.width * task.output.channels * np.dtype(task.arithmetic).itemsize


def _known(task: Task) -> Blend:
    if not isinstance(task.step, Blend):
        raise TypeError(f"nothing to blend in a {type(task.step).__name__}")
    return task.step
