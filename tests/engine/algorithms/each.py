"""Tasks that lead every algorithm to every loop it has: all kinds of steps, in all kinds of numbers."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from service.engine.algorithms.base import Sample, Task
from service.engine.steps import Conv2d, ConvTranspose2d, GradientMagnitude, Step
from service.engine.steps.geometry import Padding, Shape
from service.engine.steps.precision import Arithmetic

SIZES = ((5, 6), (3, 1100))
"""Small, and so wide that rows are cut into segments at every level."""
AROUND = Padding(1, 1, 1, 1)
SMOOTH, SLOPE = np.array([1.0, 2, 1]), np.array([-1.0, 0, 1])


def _of_rank_one(column: NDArray[np.float64], row: NDArray[np.float64]) -> Conv2d:
    weight = np.multiply.outer(column, row)[None, None]
    return Conv2d(weight, 3, padding=AROUND, factors=(column, row))


def _steps() -> tuple[Step, ...]:
    fraction = 1 / 3
    large = np.random.default_rng(0).random((1, 1, 9, 9))
    return (
        Conv2d(np.ones((1, 1, 2, 3)), 3, (1, 2), padding=AROUND, bias=np.array([1.0, 2, 3])),
        Conv2d(np.full((1, 1, 3, 3), fraction), 3, padding=AROUND),
        Conv2d(np.ones((1, 1, 3, 3)), 3, padding=AROUND, divisor=9),
        _of_rank_one(SMOOTH, SMOOTH),
        _of_rank_one(SMOOTH * fraction, SMOOTH),
        Conv2d(large, 3, padding=Padding(4, 4, 4, 4)),
        Conv2d(np.full((6, 1, 3, 3), fraction), 3, padding=AROUND),
        Conv2d(np.full((16, 3, 3, 3), fraction), padding=AROUND),
        Conv2d(np.full((16, 16, 3, 3), fraction), padding=AROUND),
        Conv2d(np.full((1, 3, 1, 1), fraction)),
        Conv2d(np.full((3, 3, 1, 1), fraction)),
        ConvTranspose2d(np.ones((1, 1, 4, 4)) / 4, 3, (2, 2), padding=AROUND),
        ConvTranspose2d(np.full((1, 1, 4, 4), fraction), 3, (2, 2), padding=AROUND),
        ConvTranspose2d(np.full((2, 2, 3, 3), fraction), 1, (2, 2)),
        GradientMagnitude(_of_rank_one(SMOOTH, SLOPE), _of_rank_one(SLOPE, SMOOTH)),
        GradientMagnitude(_of_rank_one(SMOOTH * fraction, SLOPE), _of_rank_one(SLOPE, SMOOTH * fraction), "l1"),
    )


def one_of_each() -> Iterator[tuple[Task, NDArray[Any]]]:
    """Give tasks with an image for each."""
    samples: tuple[Sample, ...] = get_args(Sample)
    arithmetics: tuple[Arithmetic, ...] = get_args(Arithmetic)
    for step, size, source in product(_steps(), SIZES, samples):
        image = np.ones((*size, step.in_channels), source)
        image.flags.writeable = False
        for target, arithmetic in product(samples, arithmetics):
            yield Task(step, Shape(*image.shape), source, target, arithmetic), image
