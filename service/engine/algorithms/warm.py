"""Compile what the first request would otherwise wait for."""

from __future__ import annotations

from functools import partial
from typing import get_args

import numpy as np

from service.engine.algorithms.base import Task
from service.engine.algorithms.direct import Direct
from service.engine.algorithms.separable import Separable
from service.engine.algorithms.spectra import Spectra
from service.engine.geometry import Padding, Shape
from service.engine.precision import Arithmetic
from service.engine.steps import Conv2d

FRACTION = 1 / 3
"""A weight for which there are no sums of integers."""
LARGE = 7
"""The side of a kernel that spectra of float32 accept."""
WIDE = 1024
"""Columns of an image whose rows are cut into segments."""


def warm() -> None:
    """Run the loops of convolution once for each type they are compiled for; all kinds of samples are within one."""
    for part in PARTS:
        part()


def _direct(arithmetic: Arithmetic, weight: float) -> None:
    image = np.zeros((1, 1, 1), np.uint8)
    Direct().apply(_task(Conv2d(np.full((1, 1, 1, 1), weight)), Shape(1, 1, 1), arithmetic), image, 1)


def _separable() -> None:
    wide = np.zeros((2, WIDE, 1), np.uint8)
    for arithmetic in get_args(Arithmetic):
        step = Conv2d(np.full((1, 1, 2, 2), FRACTION))
        Separable().apply(_task(step, Shape(*wide.shape), arithmetic), wide, 1)


def _spectra() -> None:
    around = Padding(*[LARGE // 2] * 4)
    step = Conv2d(np.ones((1, 1, LARGE, LARGE)), padding=around)
    Spectra().apply(_task(step, Shape(1, 1, 1), "float32"), np.zeros((1, 1, 1), np.uint8), 1)


def _task(step: Conv2d, shape: Shape, arithmetic: Arithmetic) -> Task:
    return Task(step, shape, "uint8", "uint8", arithmetic)


PARTS = (
    partial(_direct, "float32", FRACTION),
    partial(_direct, "float64", FRACTION),
    partial(_direct, "float32", 1.0),  # integers
    _separable,
    _spectra,
)
"""What is compiled apart, the longest to compile first."""
