from __future__ import annotations

from typing import Any, get_args

import numpy as np

from service.engine.algorithms.base import Sample, Task
from service.engine.algorithms.direct import Direct
from service.engine.algorithms.fft import Fft
from service.engine.algorithms.separable import Separable
from service.engine.algorithms.warm import warm
from service.engine.geometry import Padding, Shape
from service.engine.loops import convolution, spectra
from service.engine.steps import Conv2d

SAMPLES: tuple[Sample, ...] = get_args(Sample)


def compilations() -> int:
    loops: list[Any] = [convolution.convolve, spectra.correlate]
    return sum(len(loop.signatures) for loop in loops)


def test_nothing_is_compiled_after_warming() -> None:
    warm()
    before = compilations()
    step = Conv2d(np.ones((1, 1, 2, 3)), 2, (1, 2), padding=Padding(1, 1, 1, 1), bias=np.array([1.0, 2.0]))
    for source in SAMPLES:
        image = np.ones((5, 6, 2), source)
        image.flags.writeable = False
        for target in SAMPLES:
            for arithmetic in ("float32", "float64"):
                task = Task(step, Shape(5, 6, 2), source, target, arithmetic)
                for algorithm in (Direct(), Separable()):
                    algorithm.apply(task, image, 1)
    large = Conv2d(np.full((6, 1, 7, 9), 0.1), 3, (1, 2), padding=Padding(1, 1, 1, 1), bias=np.arange(6.0))
    for step in (large, Conv2d(large.weight[:1], 2), Conv2d(large.weight.reshape(2, 3, 7, 9))):
        shape = Shape(9, 12, step.in_channels)
        for source in SAMPLES[:2]:  # pictures
            task = Task(step, shape, source, "float32", "float32")
            Fft().apply(task, np.ones(shape, source), 1)
    assert compilations() == before
