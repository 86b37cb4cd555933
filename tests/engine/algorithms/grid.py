"""Steps that every algorithm is tried on, as far as it accepts them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from service.engine.algorithms.base import Algorithm
from service.engine.steps import Conv2d, ConvTranspose2d, GradientMagnitude, NormalizedConv2d, Pool, Restore, Step
from service.engine.steps.geometry import Padding

KERNEL = np.random.default_rng(2).normal(size=(9, 9))
SEPARABLE = Conv2d(np.multiply.outer(KERNEL[0], KERNEL[1])[None, None], 4, factors=(KERNEL[0].copy(), KERNEL[1].copy()))
STEPS: tuple[Step, ...] = (
    Conv2d(KERNEL[None, None], 4),
    SEPARABLE,
    Conv2d(np.ones((1, 1, 9, 9)), 4, divisor=81.0),
    Conv2d(np.stack([KERNEL] * 8).reshape(2, 4, 9, 9)),
    Conv2d(KERNEL[:3, :3, None, None]),
    Conv2d(np.stack([KERNEL[:3, :3]] * 256).reshape(16, 16, 3, 3)),
    Conv2d(KERNEL[None, None], 4, stride=(2, 3), dilation=(2, 1), padding=Padding(9, 0, 3, 4), bias=np.arange(4.0)),
    ConvTranspose2d(KERNEL[None, None], 4, stride=(2, 2)),
    ConvTranspose2d(KERNEL[None, None, :4, :4], 4, stride=(5, 1), padding=Padding(1, 1, 1, 1)),
    GradientMagnitude(SEPARABLE, SEPARABLE),
    NormalizedConv2d(
        replace(SEPARABLE, stride=(3, 3), padding=Padding(3, 3, 3, 3), divisor=float(SEPARABLE.weight.sum()))
    ),
    Pool(4, "average", (3, 3), (2, 2)),
    Restore(4, np.abs(KERNEL), "wiener"),
)


def steps_for(algorithm: Algorithm) -> tuple[Step, ...]:
    """Give the grid, and the steps that an algorithm names because it accepts none of that."""
    return (*STEPS, *getattr(algorithm, "tried_on", ()))
