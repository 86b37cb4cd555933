"""Compile what the first request would otherwise wait for."""

from __future__ import annotations

from typing import get_args

import numpy as np

from service.engine.algorithms.base import Task
from service.engine.algorithms.direct import Direct
from service.engine.geometry import Shape
from service.engine.precision import Arithmetic
from service.engine.steps import Conv2d


def warm() -> None:
    """Run the loops of convolution once for each type they are compiled for; all kinds of samples are within one."""
    image = np.zeros((1, 1, 1), np.uint8)
    for arithmetic in get_args(Arithmetic):
        task = Task(Conv2d(np.ones((1, 1, 1, 1))), Shape(1, 1, 1), "uint8", "uint8", arithmetic)
        Direct().apply(task, image, 1)
