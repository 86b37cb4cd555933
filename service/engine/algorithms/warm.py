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
    shape = Shape(1, 1, 1)
    for arithmetic in get_args(Arithmetic):
        for weight in (1.0, 0.3):  # the former is summed in integers of 16 bits
            step = Conv2d(np.full((1, 1, 1, 1), weight))
            Direct().apply(Task(step, shape, "uint8", "uint8", arithmetic), image, 1)
    wide, kernel = np.zeros((2, 1024, 1), np.uint8), Conv2d(np.full((1, 1, 2, 2), 0.3))
    for arithmetic in get_args(Arithmetic):
        Separable().apply(Task(kernel, Shape(2, 1024, 1), "uint8", "uint8", arithmetic), wide, 1)
