from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from service.engine.algorithms.base import Sample, Task
from service.engine.algorithms.box import Box
from service.engine.steps import Conv2d
from service.engine.steps.geometry import Padding, PaddingMode, Pair, Shape
from service.engine.steps.precision import Arithmetic
from tests.tolerance import assert_computes

BOX = Box()


def box(kernel: Pair, **geometry: Any) -> Conv2d:
    size = kernel[0] * kernel[1]
    return Conv2d(np.ones((1, 1, *kernel)), 3, divisor=float(size), **geometry)


def picture(height: int, width: int, dtype: str = "uint8") -> np.ndarray[Any, np.dtype[Any]]:
    random = np.random.default_rng(height * width)
    return random.integers(0, np.iinfo(dtype).max, (height, width, 3), dtype, endpoint=True)


@pytest.mark.parametrize("kernel", [(1, 1), (1, 2), (2, 1), (3, 3), (4, 7), (16, 16), (31, 5), (5, 31), (1, 63)])
@pytest.mark.parametrize("mode", ["zeros", "constant", "reflect", "circular"])
@pytest.mark.parametrize("stride", [1, 2, 5])
def test_running_sums_are_exact(kernel: Pair, mode: PaddingMode, stride: int) -> None:
    padding = Padding(kernel[0] // 2, kernel[0] // 2, kernel[1] // 2, kernel[1] // 2)
    step = box(kernel, padding=padding, padding_mode=mode, padding_value=77.0, stride=(stride, 1))
    image = picture(23, 41)
    task = Task(step, Shape(*image.shape), "uint8", "uint8", "float32", exact=True)
    assert BOX.accepts(task)
    assert_computes(task, image, BOX.apply(task, image, 2))


@pytest.mark.parametrize("arithmetic", ["float32", "float64"])
def test_windows_of_one_column_have_room_as_wide_ones_have(arithmetic: Arithmetic) -> None:
    """Nothing is beside a block then, and yet sums and their powers need as much as in windows of two columns."""

    def room(width: int) -> int:
        step = box((9, width))
        task = Task(step, Shape(50, 70, 3), "uint8", "uint8", arithmetic, exact=True)
        return BOX.workspace(task, 1)

    assert room(1) >= room(2) - 70 * 3 * 8 * 2


@pytest.mark.parametrize("kernel", [(3, 3), (2, 300)])
def test_rows_of_several_blocks(kernel: Pair) -> None:
    image = picture(9, 1700)
    task = Task(box(kernel), Shape(*image.shape), "uint8", "uint8", "float32", exact=True)
    assert_computes(task, image, BOX.apply(task, image, 1))


def constant(value: float, side: int = 3, **others: Any) -> Conv2d:
    return Conv2d(np.full((1, 1, side, side), value), 3, **others)


@pytest.mark.parametrize(
    ("step", "source", "arithmetic", "accepted"),
    [
        pytest.param(constant(0.3), "uint8", "float32", True, id="fractions of integers"),
        pytest.param(constant(1.0, 256), "uint8", "float32", True, id="just below 2^24"),
        pytest.param(constant(1.0, 257), "uint8", "float32", False, id="beyond 2^24"),
        pytest.param(constant(1.0, 257), "uint8", "float64", True, id="in double precision"),
        pytest.param(constant(1.0, 17), "uint16", "float32", False, id="16 bits beyond 2^24"),
        pytest.param(constant(1.0), "float32", "float32", False, id="floats"),
        pytest.param(constant(1.0, dilation=(1, 2)), "uint8", "float32", False, id="dilated"),
        pytest.param(constant(1.0, stride=(1, 2)), "uint8", "float32", False, id="strided along the row"),
        pytest.param(constant(1.0, padding_value=0.5), "uint8", "float32", False, id="a fraction beyond the rim"),
    ],
)
def test_only_sums_that_floats_hold_exactly(
    step: Conv2d, source: Sample, arithmetic: Arithmetic, accepted: bool
) -> None:
    assert BOX.accepts(Task(step, Shape(300, 300, 3), source, "uint8", arithmetic)) is accepted
