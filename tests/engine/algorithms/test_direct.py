from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from service.engine.algorithms.base import Task
from service.engine.algorithms.direct import Direct
from service.engine.algorithms.separable import Separable
from service.engine.steps import Conv2d
from service.engine.steps.geometry import Padding, Shape
from tests import oracle
from tests.engine.algorithms.drawn import task_of
from tests.tolerance import assert_computes

DIRECT = Direct()
Problem = tuple[Task, NDArray[Any]]


def test_impulse_gives_the_kernel_turned() -> None:
    image = np.zeros((9, 9, 1), np.uint8)
    image[4, 4] = 1
    kernel = np.arange(25.0).reshape(1, 1, 5, 5)
    result = DIRECT.apply(task_of(Conv2d(kernel), image, "float32", "float32"), image, 1)
    np.testing.assert_array_equal(result[:, :, 0], kernel[0, 0, ::-1, ::-1])


@pytest.mark.parametrize("divisor", [9.0, 10.0, 6.0, 49.0])
def test_ties_are_decided_as_the_quotient_of_integers_has_it(divisor: float) -> None:
    image = np.arange(256 * 40, dtype=np.uint16).reshape(40, 256, 1)
    step = Conv2d(np.ones((1, 1, 1, 1)), divisor=divisor)
    result = DIRECT.apply(task_of(step, image, "uint16", "float32"), image, 1)
    np.testing.assert_array_equal(result, oracle.stored(image / divisor, "uint16"))


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 3000), (700, 1), (2, 2), (97, 89)])
@pytest.mark.parametrize("kernel", [(1, 1), (2, 2), (15, 15), (1, 31), (31, 1), (40, 3)])
def test_awkward_sizes_are_exact(height: int, width: int, kernel: tuple[int, int]) -> None:
    random = np.random.default_rng(height * width)
    image = random.integers(0, 256, (height, width, 1), np.uint8)
    weight = random.integers(-2, 3, (1, 1, *kernel)).astype(np.float64)
    step = Conv2d(weight, padding=Padding(40, 3, 2, 45), padding_mode="reflect", divisor=7)
    task = task_of(step, image, "uint8", "float32")
    assert_computes(task, image, DIRECT.apply(task, image, 2))


def test_dilation_beyond_the_image_looks_at_the_padding_only() -> None:
    image = np.full((3, 3, 2), 9, np.uint8)
    step = Conv2d(np.ones((1, 1, 2, 2)), 2, dilation=(50, 60), padding=Padding(50, 50, 60, 60))
    task = task_of(step, image, "float32", "float32")
    assert_computes(task, image, DIRECT.apply(task, image, 1))


def test_numbers_that_are_not_finite_stay_where_the_kernel_reaches() -> None:
    image = np.ones((20, 20, 1), np.float32)
    image[10, 10] = np.nan
    step = Conv2d(np.ones((1, 1, 3, 3)), padding=Padding(1, 1, 1, 1))
    result = DIRECT.apply(task_of(step, image, "float32", "float32"), image, 1)
    assert np.isnan(result[9:12, 9:12]).all()
    assert np.isnan(result).sum() == 9


def test_blocks_and_planes_of_a_wide_image_fit_together() -> None:
    random = np.random.default_rng(3)
    image = random.integers(0, 256, (19, 1500, 3), np.uint8)
    for weight in (random.integers(-2, 3, (1, 1, 3, 3)), random.integers(-2, 3, (6, 1, 3, 3))):
        for stride in ((1, 1), (2, 2)):
            step = Conv2d(weight.astype(np.float64), 3, stride, padding=Padding(1, 1, 1, 1), padding_mode="circular")
            task = task_of(step, image, "uint8", "float32")
            assert_computes(task, image, DIRECT.apply(task, image, 1))


def test_every_convolution_has_a_way() -> None:
    step = Conv2d(np.full((4, 2, 3, 3), np.nan), 2)
    task = Task(step, Shape(50, 50, 4), "uint8", "uint8", "float32")
    assert DIRECT.accepts(task)
    assert DIRECT.seconds(task) > 0


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("total", [128, 129])
def test_largest_sums_of_sixteen_bits_are_exact(sign: int, total: int) -> None:
    """128 times 255 is the last product below 2^15."""
    image = np.full((30, 40, 1), 255, np.uint8)
    weight = np.full((1, 1, 3, 3), 14.0)
    weight[0, 0, 1, 1] = total - 8 * 14
    step = Conv2d(sign * weight, divisor=sign * 129)
    task = task_of(step, image, "float64", "float32")
    result = DIRECT.apply(task, image, 1)
    np.testing.assert_allclose(result, total * 255 / 129, rtol=1e-7)


@pytest.mark.parametrize("arithmetic", ["float32", "float64"])
@pytest.mark.parametrize("divisor", [1.0, 3.0])
def test_bytes_of_numbers_beyond_all_bounds(arithmetic: Any, divisor: float) -> None:
    """What is too large for 32 bits, too, is 255 or 0, and what is no number 0."""
    numbers = np.array([np.nan, np.inf, -np.inf, 3e38, -3e38, 1e10, -1e10, 256, 255, 254.5, 253.5, 0.5, -0.5, -7])
    expected = np.array([0, 255, 0, 255, 0, 255, 0, 255, 255, 254, 254, 0, 0, 0], np.uint8)
    image = np.resize(numbers * np.where(np.abs(numbers) < 1e9, divisor, 1), (9, 150, 1)).astype(np.float32)
    step = Conv2d(np.ones((1, 1, 1, 1)), divisor=divisor)
    task = task_of(step, image, "uint8", arithmetic)
    np.testing.assert_array_equal(DIRECT.apply(task, image, 1), np.resize(expected, image.shape))


def test_bytes_of_numbers_beyond_all_bounds_in_segments() -> None:
    numbers, expected = np.array([np.inf, -np.inf, np.nan, 3e38, -3e38, 1e10, 7]), [255, 0, 0, 255, 0, 255, 7]
    image = np.repeat(np.resize(numbers, (1, 2100))[:, :, None], 9, axis=0).astype(np.float32)
    step = Conv2d(np.ones((1, 1, 1, 1)), factors=(np.ones(1), np.ones(1)))
    result = Separable().apply(task_of(step, image, "uint8", "float32"), image, 1)
    np.testing.assert_array_equal(result[..., 0], np.resize(expected, (9, 2100)))
