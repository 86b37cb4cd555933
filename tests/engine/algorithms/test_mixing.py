"""Sums over channels: strips of any height, taps apart, groups, and sums that stay exact."""

from __future__ import annotations

import numpy as np
import pytest

from service.engine.algorithms import mixing
from service.engine.algorithms.base import Task
from service.engine.algorithms.mixing import Mixing
from service.engine.loops.mixing import PIXELS
from service.engine.steps import Conv2d
from service.engine.steps.geometry import Padding, Pair, Shape
from tests import oracle

RANDOM = np.random.default_rng(0)
IMAGE = RANDOM.normal(size=(23, 29, 4))


def check(step: Conv2d) -> None:
    task = Task(step, Shape(*IMAGE.shape), "float64", "float64", "float64")
    np.testing.assert_allclose(Mixing().apply(task, IMAGE, 1), oracle.apply(step, IMAGE), rtol=0, atol=1e-12)


@pytest.mark.parametrize("strip_bytes", [1, 10_000, 100_000, 10_000_000])
@pytest.mark.parametrize("stride", [(1, 1), (2, 3), (5, 1)])
@pytest.mark.parametrize("dilation", [(1, 1), (4, 3)])
def test_strips_of_any_height_give_the_same(
    strip_bytes: int, stride: Pair, dilation: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mixing, "STRIP_BYTES", strip_bytes)
    weight = RANDOM.normal(size=(5, 4, 3, 2))
    check(Conv2d(weight, 1, stride, dilation, Padding(2, 1, 0, 3), "reflect", bias=RANDOM.normal(size=5)))


WIDTHS = [*range(1, 2 * PIXELS + 2), 31, 33, 70]
"""In pixels: on both sides of the number that is summed at once."""


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("outputs", [3, 8, 16, 24, 28, 32])
@pytest.mark.parametrize(
    ("kernel", "channels", "dilation"), [((3, 3), 3, (2, 1)), ((3, 1), 9, (1, 7)), ((3, 9), 1, (1, 1))]
)
def test_rows_of_any_width_and_any_number_of_outputs(
    width: int, outputs: int, kernel: Pair, channels: int, dilation: Pair
) -> None:
    weight, bias = RANDOM.normal(size=(outputs, channels, *kernel)), RANDOM.normal(size=outputs)
    image = RANDOM.normal(size=(9, width, channels))
    for stride, divisor in (((1, 1), 1.0), ((2, 2), 3.0)):
        step = Conv2d(weight, 1, stride, dilation, Padding(2, 1, 5, 4), divisor=divisor, bias=bias)
        expected = oracle.apply(step, image)
        for arithmetic, error in (("float64", 1e-12), ("float32", 1e-4)):
            some = image.astype(arithmetic)
            task = Task(step, Shape(*image.shape), arithmetic, arithmetic, arithmetic)  # type: ignore[arg-type]
            np.testing.assert_allclose(Mixing().apply(task, some, 2), expected, rtol=0, atol=error)


@pytest.mark.parametrize("outputs", [16, 28])
def test_first_layers_of_a_picture_are_rounded_to_even(outputs: int) -> None:
    picture = RANDOM.integers(0, 256, (20, 61, 3), dtype=np.uint8)
    weight = RANDOM.integers(0, 3, (outputs, 3, 3, 3)).astype(np.float64)
    step = Conv2d(weight, padding=Padding(1, 1, 1, 1), divisor=26, bias=RANDOM.integers(-9, 9, outputs) / 2.0)
    task = Task(step, Shape(*picture.shape), "uint8", "uint8", "float32", exact=True)
    expected = np.clip(np.rint(oracle.apply(step, picture)), 0, 255)
    np.testing.assert_array_equal(Mixing().apply(task, picture, 2), expected)


def test_groups_have_weights_of_their_own() -> None:
    check(Conv2d(RANDOM.normal(size=(6, 2, 3, 3)), 2, divisor=3, bias=RANDOM.normal(size=6)))


@pytest.mark.parametrize("stride", [(1, 1), (2, 1), (1, 2), (2, 2)])
def test_pointwise_convolution(stride: Pair) -> None:
    check(Conv2d(RANDOM.normal(size=(3, 4, 1, 1)), 1, stride))


def test_integer_sums_are_exact() -> None:
    picture = RANDOM.integers(0, 256, (40, 50, 16), dtype=np.uint8)
    step = Conv2d(RANDOM.integers(-20, 21, (8, 16, 3, 3)).astype(np.float64))
    task = Task(step, Shape(*picture.shape), "uint8", "float32", "float32", exact=True)
    np.testing.assert_array_equal(Mixing().apply(task, picture, 2), oracle.apply(step, picture))


def test_shared_kernels_are_left_to_others() -> None:
    shared = Conv2d(np.ones((1, 1, 3, 3)), 4)
    assert not Mixing().accepts(Task(shared, Shape(*IMAGE.shape), "float64", "float64", "float64"))


def test_a_wide_dilation_reads_no_more_rows_than_its_taps() -> None:
    step = Conv2d(np.ones((1, 3, 3, 3)), 1, (1, 1), (1000, 1), Padding(1000, 1000, 1, 1))
    task = Task(step, Shape(20, 5000, 3), "uint8", "uint8", "float32")
    assert Mixing().workspace(task, 1) < 20 << 20
