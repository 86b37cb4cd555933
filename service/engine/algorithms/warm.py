"""Compile what the first request would otherwise wait for."""

from __future__ import annotations

from typing import get_args

import numpy as np

from service.engine.algorithms.base import Task
from service.engine.algorithms.direct import Direct
from service.engine.algorithms.fft import Fft
from service.engine.algorithms.separable import Separable
from service.engine.geometry import Padding, Shape
from service.engine.precision import Arithmetic
from service.engine.steps import Conv2d

LARGE = 7
"""The side of a kernel that spectra of float32 accept."""
WIDE = 1024
"""Columns of an image whose rows are cut into segments."""


def warm() -> None:
    """Run the loops of convolution once for each type they are compiled for; all kinds of samples are within one."""
    image, shape = np.zeros((1, 1, 1), np.uint8), Shape(1, 1, 1)
    for arithmetic in get_args(Arithmetic):
        for weight in (1.0, 1 / 3):  # for sums of integers, too
            Direct().apply(_task(Conv2d(np.full((1, 1, 1, 1), weight)), shape, arithmetic), image, 1)
    wide = np.zeros((2, WIDE, 1), np.uint8)
    for arithmetic in get_args(Arithmetic):
        step = Conv2d(np.full((1, 1, 2, 2), 1 / 3))
        Separable().apply(_task(step, Shape(*wide.shape), arithmetic), wide, 1)
    around = Padding(*[LARGE // 2] * 4)
    Fft().apply(_task(Conv2d(np.ones((1, 1, LARGE, LARGE)), padding=around), shape, "float32"), image, 1)


def _task(step: Conv2d, shape: Shape, arithmetic: Arithmetic) -> Task:
    return Task(step, shape, "uint8", "uint8", arithmetic)
