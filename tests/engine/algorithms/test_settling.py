"""Large kernels of whole numbers by transforms in float32: the very levels, ties included, and a bound that holds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pytest
from numpy.typing import NDArray

from service.engine.algorithms import tilings
from service.engine.algorithms.base import Task
from service.engine.algorithms.settling import doubtful, error
from service.engine.algorithms.spectra import Spectra
from service.engine.algorithms.tilings import SIDES, radices_of
from service.engine.steps import Conv2d
from service.engine.steps.geometry import Padding, PaddingMode, Pair, Shape
from tests import oracle

RANDOM = np.random.default_rng(1)
PAD = Padding(5, 2, 3, 7)
FEW = np.array([0, 1, 2, 128, 254, 255], np.uint8)
"""Levels of which sums over a power of two are ties more often than not."""


def picture(height: int, width: int, channels: int = 3) -> NDArray[np.uint8]:
    """Draw noise, and beside it few levels in large fields."""
    noise = RANDOM.integers(0, 256, (height, width, channels), np.uint8)
    fields = RANDOM.choice(FEW, (-(-height // 8), -(-width // 8), channels)).repeat(8, 0).repeat(8, 1)
    return np.where(np.arange(width)[:, None] < width // 2, noise, fields[:height, :width])


def whole(*shape: int, low: int = -3, high: int = 9) -> NDArray[np.float64]:
    return RANDOM.integers(low, high, shape).astype(np.float64)


def check(step: Conv2d, image: NDArray[np.uint8], threads: int = 1) -> None:
    """Compare with the oracle, whose float64 holds the sums, and tells quotients of so few bits from ties."""
    task = Task(step, Shape(*image.shape), "uint8", "uint8", "float64", exact=True)
    assert Spectra().accepts(task)
    np.testing.assert_array_equal(
        Spectra().apply(task, image, threads), oracle.stored(oracle.apply(step, image), np.uint8)
    )


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tilings, "SIDES", (16, 48, 64))


@pytest.mark.parametrize("mode", get_args(PaddingMode))
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("divisor", [32.0, 96.0, -64.0, 77.0, 0.5])
def test_levels_are_exact_whatever_surrounds_the_picture(mode: PaddingMode, channels: int, divisor: float) -> None:
    outside = 300.0 if mode == "constant" else 0.0
    step = Conv2d(whole(1, 1, 8, 7), channels, padding=PAD, padding_mode=mode, padding_value=outside, divisor=divisor)
    check(step, picture(61, 83, channels))


@pytest.mark.parametrize("stride", [(2, 1), (1, 2), (3, 5), (17, 19)])
@pytest.mark.parametrize("dilation", [(1, 1), (2, 1), (1, 3), (2, 2)])
def test_strides_and_dilations(stride: Pair, dilation: Pair) -> None:
    step = Conv2d(whole(1, 1, 7, 8), 3, stride, dilation=dilation, padding=PAD, padding_mode="reflect", divisor=64.0)
    check(step, picture(59, 97))


@pytest.mark.parametrize("bias", [[0.5, -20.25, 60.0], [0.1, 1 / 3, 1e6]])
def test_a_kernel_and_a_bias_for_each_channel(bias: list[float]) -> None:
    step = Conv2d(whole(3, 1, 9, 7), 3, padding=PAD, divisor=128.0, bias=np.array(bias))
    check(step, picture(40, 61), threads=2)


@pytest.mark.parametrize("shape", [(1, 1), (1, 90), (90, 1), (15, 16), (17, 31)])
@pytest.mark.parametrize("kernel", [(7, 7), (13, 4), (40, 40)])
def test_pictures_smaller_than_a_window(shape: Pair, kernel: Pair) -> None:
    padding = Padding(kernel[0] // 2, (kernel[0] - 1) // 2, kernel[1] // 2, (kernel[1] - 1) // 2)
    for channels in (1, 3):
        weight = whole(1, 1, *kernel, low=1)
        check(
            Conv2d(weight, channels, padding=padding, padding_mode="reflect", divisor=weight.sum()),
            picture(*shape, channels),
        )


def test_largest_weights_and_sums() -> None:
    weight = np.full((1, 1, 16, 16), 2.0**15 - 1)
    step = Conv2d(weight, 1, divisor=float(weight.sum()))
    check(step, picture(40, 70, 1))
    task = Task(step, Shape(40, 70, 1), "uint8", "uint8", "float64", exact=True)
    assert not Spectra().accepts(replace(task, step=replace(step, weight=weight + 1)))
    assert not Spectra().accepts(replace(task, step=replace(step, weight=weight.repeat(2, axis=2))))


@pytest.mark.parametrize(
    "changes",
    [{"source": "uint16"}, {"target": "float32"}, {"target": "uint16"}, {"places": 2}, {"source": "float32"}],
)
def test_what_cannot_be_settled_is_left_to_others(changes: dict[str, Any]) -> None:
    task = Task(Conv2d(whole(1, 1, 9, 9), 3), Shape(40, 40, 3), "uint8", "uint8", "float64", exact=True)
    assert Spectra().accepts(task)
    assert not Spectra().accepts(replace(task, **changes))


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("kernel", ["even", "signs", "one tap", "noise"])
def test_no_error_is_above_its_bound(monkeypatch: pytest.MonkeyPatch, side: int, kernel: str) -> None:
    """Without a center the samples, and so the bound, are up to twice as large."""
    monkeypatch.setattr(tilings, "SIDES", (side,))
    one = np.zeros((1, 1, 11, 11))
    one[0, 0, 5, 5] = 1
    weight = {"even": np.ones_like(one), "signs": np.sign(whole(1, 1, 11, 11)), "one tap": one}.get(
        kernel, RANDOM.normal(size=one.shape)
    )
    step = Conv2d(weight, 1, divisor=float(np.abs(weight).sum()))
    bound = 2 * error(step, (radices_of(side), radices_of(side)))
    shape = (side, side, 1) if side < 100 else (60, 61, 1)
    checks = np.indices(shape[:2]).sum(axis=0)[:, :, None] % 2
    for image in (picture(*shape), np.full(shape, 255, np.uint8), (checks * 255).astype(np.uint8)):
        task = Task(step, Shape(*shape), "uint8", "float64", "float32")
        assert (np.abs(Spectra().apply(task, image, 1) - oracle.apply(step, image)) <= bound).all()


def test_few_levels_are_left_open() -> None:
    step = Conv2d(np.ones((1, 1, 31, 31)), 3, divisor=961.0)
    assert 0.001 < doubtful(step, ([8, 8, 4], [8, 8, 4])) < 0.02
