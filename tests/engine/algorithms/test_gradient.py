from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray

from service.engine.algorithms.base import Task
from service.engine.algorithms.gradient import Gradient
from service.engine.steps import Conv2d, GradientMagnitude
from service.engine.steps.geometry import Padding, Shape
from tests.engine.algorithms.drawn import gradients, problems, task_of
from tests.tolerance import assert_computes

GRADIENT = Gradient()
SMOOTH, SLOPE = np.array([1.0, 2, 1]), np.array([-1.0, 0, 1])
SCHARR = np.array([3.0, 10, 3])


def sobel(channels: int, norm: Literal["l1", "l2"] = "l2", smooth: NDArray[np.float64] = SMOOTH) -> GradientMagnitude:
    x, y = (
        Conv2d(kernel[None, None], channels, padding=Padding(1, 1, 1, 1), padding_mode="reflect")
        for kernel in (np.multiply.outer(smooth, SLOPE), np.multiply.outer(SLOPE, smooth))
    )
    return GradientMagnitude(x, y, norm)


@settings(deadline=None, max_examples=150)
@given(problems(gradients()))
def test_magnitude_is_that_of_the_oracle(problem: tuple[Task, NDArray[Any]]) -> None:
    task, image = problem
    assert GRADIENT.accepts(task)
    assert_computes(replace(task, exact=False), image, GRADIENT.apply(task, image, 1))


@pytest.mark.parametrize("smooth", [SMOOTH, SCHARR])
@pytest.mark.parametrize("norm", ["l1", "l2"])
@pytest.mark.parametrize("channels", [1, 3])
def test_levels_are_exact(norm: Literal["l1", "l2"], channels: int, smooth: NDArray[np.float64]) -> None:
    image = np.random.default_rng(5).integers(0, 256, (200, 300, channels), np.uint8)
    image[:100] //= 8  # where less is clipped
    task = task_of(sobel(channels, norm, smooth), image, "uint8", "float32")
    one, two = GRADIENT.apply(task, image, 1), GRADIENT.apply(task, image, 2)
    assert task.exact
    assert_computes(task, image, one)
    np.testing.assert_array_equal(one, two)


def test_derivatives_of_two_geometries_are_refused() -> None:
    step = sobel(1)
    step = replace(step, y=replace(step.y, padding_mode="zeros"))
    assert not GRADIENT.accepts(Task(step, Shape(50, 50, 1), "uint8", "uint8", "float32"))
