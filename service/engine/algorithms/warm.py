"""Compile what the first request would otherwise wait for."""

from __future__ import annotations

from typing import get_args

import numpy as np

from service.engine.algorithms.base import Task
from service.engine.algorithms.direct import Direct
from service.engine.algorithms.separable import Separable
from service.engine.geometry import Shape
from service.engine.precision import Arithmetic
from service.engine.steps import Conv2d


def warm() -> None:
    """Run the loops of convolution once for each type they are compiled for; all kinds of samples are within one."""
    image = np.zeros((1, 1, 1), np.uint8)
    step, shape = Conv2d(np.ones((1, 1, 1, 1))), Shape(1, 1, 1)
    for arithmetic in get_args(Arithmetic):
        for exact in (True, False):  # for sums of integers, too
            Direct().apply(Task(step, shape, "uint8", "uint8", arithmetic, exact), image, 1)
    wide = np.zeros((2, 1024, 1), np.uint8)
    for arithmetic in get_args(Arithmetic):
        for weight in (1.0, 0.3):  # the former is summed in integers of 16 bits
            kernel = Conv2d(np.full((1, 1, 2, 2), weight))
            Separable().apply(Task(kernel, Shape(*wide.shape), "uint8", "uint8", arithmetic), wide, 1)
