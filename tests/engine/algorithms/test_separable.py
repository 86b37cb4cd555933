from __future__ import annotations

import numpy as np
import pytest

from service.engine.algorithms.base import Task
from service.engine.algorithms.separable import Separable
from service.engine.steps import Conv2d, Weights
from service.engine.steps.geometry import Shape
from tests.engine.algorithms.drawn import task_of
from tests.tolerance import assert_computes

SEPARABLE = Separable()


def accepts(kernel: Weights, factors: tuple[Weights, Weights] | None = None, *, exact: bool = False) -> bool:
    step = Conv2d(kernel[None, None], 3, factors=factors)
    return SEPARABLE.accepts(Task(step, Shape(50, 50, 3), "uint8", "uint8", "float32", exact))


def test_kernel_of_rank_two_is_refused() -> None:
    assert not accepts(np.eye(3))
    kernel = np.ones((3, 3))
    kernel[0, 0] += 1e-9
    assert not accepts(kernel)


def test_unknown_numbers_are_separable_only_where_factors_are_given() -> None:
    unknown = np.full((3, 5), np.nan)
    assert not accepts(unknown)
    assert accepts(unknown, (np.full(3, np.nan), np.full(5, np.nan)))


@pytest.mark.parametrize("weight", [np.ones((2, 1, 3, 3)), np.ones((1, 2, 3, 3))])
def test_kernels_of_several_channels_are_refused(weight: Weights) -> None:
    step = Conv2d(weight, 1 if weight.shape[1] == 2 else 2)
    assert not SEPARABLE.accepts(Task(step, Shape(50, 50, 2), "uint8", "uint8", "float32"))


def test_fractional_factors_of_an_exact_kernel_are_not_used() -> None:
    image = np.random.default_rng(1).integers(0, 256, (40, 50, 1), np.uint8)
    column, row = np.array([1.0, 2, 1]) / 3, np.array([1.0, 2, 1]) * 3
    step = Conv2d(np.multiply.outer([1.0, 2, 1], [1.0, 2, 1])[None, None], divisor=16, factors=(column, row))
    task = task_of(step, image, "uint8", "float32")
    assert_computes(task, image, SEPARABLE.apply(task, image, 1))
