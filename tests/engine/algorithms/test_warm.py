from __future__ import annotations

from typing import Any, get_args

import numpy as np

from service.engine.algorithms.base import Sample, Task
from service.engine.algorithms.direct import Direct
from service.engine.algorithms.separable import Separable
from service.engine.algorithms.warm import warm
from service.engine.geometry import Padding, Shape
from service.engine.loops import convolution
from service.engine.steps import Conv2d


def compilations() -> int:
    loop: Any = convolution.convolve
    return len(loop.signatures)


def test_nothing_is_compiled_after_warming() -> None:
    warm()
    before = compilations()
    step = Conv2d(np.ones((1, 1, 2, 3)), 2, (1, 2), padding=Padding(1, 1, 1, 1), bias=np.array([1.0, 2.0]))
    for source in get_args(Sample):
        image = np.ones((5, 6, 2), source)
        image.flags.writeable = False
        for target in get_args(Sample):
            for arithmetic in ("float32", "float64"):
                task = Task(step, Shape(5, 6, 2), source, target, arithmetic)
                for algorithm in (Direct(), Separable()):
                    algorithm.apply(task, image, 1)
    assert compilations() == before
