"""Tiles of float32: that they cover the result once, leave no seam at any side, and how exact they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from service.engine.algorithms import tilings
from service.engine.algorithms.base import Sample, Task
from service.engine.algorithms.spectra import Spectra
from service.engine.algorithms.tilings import SIDES, Needs, best_tiling
from service.engine.steps import Conv2d
from service.engine.steps.geometry import Padding, PaddingMode, Pair, Shape
from tests import oracle

RANDOM = np.random.default_rng(0)
PAD = Padding(5, 2, 3, 7)
Sided = Callable[..., None]


def picture(shape: tuple[int, int, int], source: Sample = "uint8") -> NDArray[Any]:
    return RANDOM.integers(0, np.iinfo(source).max, shape, source, endpoint=True)


def check(step: Conv2d, image: NDArray[Any], target: Sample = "float64", threads: int = 1) -> None:
    """Hold a task against the oracle, to a ten thousandth of a level; integers must be its own, but next to ties."""
    task = Task(step, Shape(*image.shape), image.dtype.name, target, "float32")  # type: ignore[arg-type]
    assert best_tiling(Needs.of(task, step)) is not None
    result = Spectra().apply(task, image, threads)
    exact = oracle.apply(step, image)
    assert result.shape == exact.shape
    assert result.dtype == np.dtype(target)
    allowed = 5e-7 * float(np.iinfo(image.dtype).max) * step.reach.gain
    if target.startswith("float"):
        np.testing.assert_allclose(result, exact, rtol=1e-7, atol=allowed)
        return
    clear = np.abs(exact - np.floor(exact) - 0.5) > allowed
    np.testing.assert_array_equal(result[clear], oracle.stored(exact, target)[clear])


def kernels(*shape: int) -> NDArray[np.float64]:
    return RANDOM.normal(size=shape)


@pytest.fixture
def sided(monkeypatch: pytest.MonkeyPatch) -> Sided:
    """Let tiles have these sides only."""

    def set_sides(*sides: int) -> None:
        monkeypatch.setattr(tilings, "SIDES", sides)

    return set_sides


@pytest.mark.parametrize("side", SIDES)
def test_every_side(sided: Sided, side: int) -> None:
    sided(side)
    check(Conv2d(kernels(1, 1, 7, 9), 3, padding=PAD, padding_mode="reflect"), picture((37, 53, 3)))


@pytest.mark.parametrize("sides", [(16,), (16, 32), (48,)])
@pytest.mark.parametrize("mode", get_args(PaddingMode))
@pytest.mark.parametrize("channels", [1, 3])
def test_tiles_leave_no_seam(sided: Sided, sides: tuple[int, ...], mode: PaddingMode, channels: int) -> None:
    sided(*sides)
    padding_value = 300.0 if mode == "constant" else 0.0
    step = Conv2d(kernels(1, 1, 8, 7), channels, padding=PAD, padding_mode=mode, padding_value=padding_value)
    check(step, picture((61, 83, channels)))


@pytest.mark.parametrize("stride", [(2, 1), (1, 2), (3, 5), (17, 19), (40, 1)])
@pytest.mark.parametrize("sides", [(16,), (64,)])
def test_strides(sided: Sided, sides: tuple[int, ...], stride: Pair) -> None:
    sided(*sides)
    check(Conv2d(kernels(1, 1, 7, 8), 3, stride, padding=PAD, padding_mode="symmetric"), picture((59, 97, 3)))


@pytest.mark.parametrize(
    ("kernel", "dilation"), [((7, 7), (2, 1)), ((3, 17), (5, 2)), ((1, 50), (9, 1)), ((49, 1), (1, 9))]
)
def test_dilation_and_odd_kernels(sided: Sided, kernel: Pair, dilation: Pair) -> None:
    sided(16, 32, 64)
    step = Conv2d(kernels(1, 1, *kernel), 2, dilation=dilation, padding=Padding(9, 9, 9, 9), padding_mode="circular")
    check(step, picture((45, 70, 2)))


@pytest.mark.parametrize("shape", [(1, 1), (1, 90), (90, 1), (15, 16), (17, 31), (64, 10)])
@pytest.mark.parametrize("kernel", [(7, 7), (13, 4), (40, 40)])
def test_pictures_smaller_than_a_window_or_a_vector(shape: Pair, kernel: Pair) -> None:
    padding = Padding(kernel[0] // 2, (kernel[0] - 1) // 2, kernel[1] // 2, (kernel[1] - 1) // 2)
    for channels in (1, 3):
        check(
            Conv2d(kernels(1, 1, *kernel), channels, padding=padding, padding_mode="reflect"),
            picture((*shape, channels)),
        )


@pytest.mark.parametrize(
    ("weight", "groups"),
    [
        pytest.param(kernels(3, 1, 7, 7), 3, id="a kernel for each channel"),
        pytest.param(kernels(6, 1, 7, 7), 3, id="two outputs of each channel"),
        pytest.param(kernels(4, 3, 5, 5), 1, id="sums of all channels"),
        pytest.param(kernels(6, 2, 7, 5), 2, id="sums in groups"),
        pytest.param(kernels(1, 5, 4, 4), 1, id="one sum"),
        pytest.param(kernels(1, 1, 7, 7), 21, id="many channels"),
    ],
)
@pytest.mark.parametrize("stride", [(1, 1), (2, 3)])
def test_kernels_for_channels(sided: Sided, weight: NDArray[np.float64], groups: int, stride: Pair) -> None:
    sided(16, 32)
    outputs = groups if weight.shape[:2] == (1, 1) else len(weight)
    step = Conv2d(weight, groups, stride, padding=PAD, divisor=-3.0, bias=np.linspace(-9, 99, outputs))
    check(step, picture((41, 50, step.in_channels)))


@pytest.mark.parametrize("source", ["uint8", "uint16"])
@pytest.mark.parametrize("target", get_args(Sample))
def test_samples_of_every_kind(sided: Sided, source: Sample, target: Sample) -> None:
    sided(32)
    weight = RANDOM.uniform(0, 1, (1, 1, 9, 9))
    bias = np.array([0.0, -40.0, 60.0])
    step = Conv2d(weight, 3, padding=PAD, padding_mode="constant", padding_value=7.0, divisor=weight.sum(), bias=bias)
    check(step, picture((50, 77, 3), source), target)


def test_a_picture_that_is_cut_into_many_runs() -> None:
    weight = RANDOM.uniform(0, 1, (1, 1, 21, 15))
    step = Conv2d(weight, 3, padding=Padding(10, 10, 7, 7), padding_mode="replicate", divisor=weight.sum())
    for threads in (1, 2):
        check(step, picture((407, 611, 3)), "uint8", threads)


@pytest.mark.parametrize("side", [16, 128, 512])
def test_errors_stay_below_a_ten_thousandth_of_a_level(sided: Sided, side: int) -> None:
    """White is the largest that a tile can be; one tap alone, the least that a kernel can average."""
    sided(side)
    shape, one, signs = (40, 45, 3), np.zeros((1, 1, 9, 9)), np.sign(kernels(1, 1, 9, 9))
    one[0, 0, 4, 4] = 1
    for weight in (one, np.full((1, 1, 9, 9), 1 / 81), signs / 81):
        for image in (picture(shape), np.full(shape, 255, np.uint8), (picture(shape) & 1) * np.uint8(255)):
            step = Conv2d(weight, 3)
            task = Task(step, Shape(*shape), "uint8", "float64", "float32")
            assert np.abs(Spectra().apply(task, image, 1) - oracle.apply(step, image)).max() < 1e-4


@settings(max_examples=300, deadline=None)
@given(
    outputs=st.tuples(st.integers(1, 3000), st.integers(1, 3000)),
    window=st.tuples(st.integers(1, 300), st.integers(1, 300)),
    stride=st.tuples(st.integers(1, 20), st.integers(1, 20)),
    channels=st.integers(1, 5),
)
def test_runs_cover_the_result_once(outputs: Pair, window: Pair, stride: Pair, channels: int) -> None:
    needs = Needs(outputs, window, stride, (channels, channels), (1, 1))
    tiling = best_tiling(needs)
    assert tiling is not None
    assert all(
        (n - 1) * s + w <= side for n, s, w, side in zip(tiling.outputs, stride, window, tiling.side, strict=True)
    )
    covered = np.zeros(outputs, np.int8)
    runs = tilings.runs_of(tiling, needs)
    assert len(runs) == tiling.pairs
    for row, rows, column in runs.reshape(-1, 3):
        covered[row : row + rows, column : column + tiling.tiles * tiling.outputs[1]] += 1
    assert (covered == 1).all()


def test_windows_too_wide_and_kernels_too_many_have_no_tiles() -> None:
    assert best_tiling(Needs((9, 9), (513, 3), (1, 1), (3, 3), (1, 1))) is None
    assert best_tiling(Needs((99, 99), (200, 200), (1, 1), (16, 16), (16, 16))) is None
    assert best_tiling(Needs((99, 99), (200, 200), (1, 1), (64, 64), (1, 1))) is None
