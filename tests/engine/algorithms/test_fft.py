"""Products of spectra: what they accept, that tiles leave no seam, and how exact they are."""

from __future__ import annotations

import numpy as np
import pytest

from service.engine.algorithms.base import Sample, Task
from service.engine.algorithms.ground import overlap_save
from service.engine.algorithms.ground.overlap_save import Fft
from service.engine.steps import Conv2d, Pool
from service.engine.steps.geometry import Padding, PaddingMode, Pair, Shape
from service.engine.steps.precision import Arithmetic
from tests import oracle

RANDOM = np.random.default_rng(0)
PICTURE = RANDOM.integers(0, 256, (150, 203, 3), dtype=np.uint8)
MEAN = np.full((1, 1, 15, 15), 1 / 225)


def task(step: Conv2d, source: Sample = "uint8", arithmetic: Arithmetic = "float32", *, exact: bool = False) -> Task:
    return Task(step, Shape(*PICTURE.shape), source, "float64", arithmetic, exact)


def same(kernel: Pair) -> Padding:
    return Padding(kernel[0] // 2, (kernel[0] - 1) // 2, kernel[1] // 2, (kernel[1] - 1) // 2)


@pytest.fixture
def small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overlap_save, "SIDES", (32, 36, 40))


@pytest.mark.usefixtures("small_tiles")
@pytest.mark.parametrize("mode", ["zeros", "replicate", "circular"])
@pytest.mark.parametrize("stride", [(1, 1), (2, 3)])
def test_tiles_leave_no_seam(mode: PaddingMode, stride: Pair) -> None:
    step = Conv2d(RANDOM.normal(size=(1, 1, 7, 10)), 3, stride, padding=same((7, 10)), padding_mode=mode)
    result = Fft().apply(task(step, arithmetic="float64"), PICTURE, 1)
    np.testing.assert_allclose(result, oracle.apply(step, PICTURE), rtol=0, atol=1e-9)


def test_picture_in_float32_is_right_to_a_ten_thousandth_of_a_level() -> None:
    white = np.full(PICTURE.shape, 255, np.uint8)
    step = Conv2d(MEAN, 3, padding=same((15, 15)), padding_mode="reflect")
    for picture in (PICTURE, white):
        error = np.abs(Fft().apply(task(step), picture, 1) - oracle.apply(step, picture)).max()
        assert error < 2e-4


def test_few_terms_and_unbounded_samples_are_summed_in_float64() -> None:
    few = Conv2d(RANDOM.normal(size=(1, 1, 5, 5)), 3)
    for given in (task(few), task(Conv2d(MEAN, 3), source="float32")):
        image = PICTURE.astype(given.source)
        error = np.abs(Fft().apply(given, image, 1) - oracle.apply(given.step, image)).max()
        assert error < 1e-9


@pytest.mark.parametrize("divisor", [1.0, 225.0, 450.0])
def test_sums_of_integers_are_exact(divisor: float) -> None:
    step = Conv2d(np.ones((1, 1, 15, 15)), 3, padding=same((15, 15)), divisor=divisor, bias=np.array([0.5, 0, -3]))
    np.testing.assert_array_equal(Fft().apply(task(step, exact=True), PICTURE, 1), oracle.apply(step, PICTURE))


def test_sums_too_large_to_be_proved_exact_are_left_to_others() -> None:
    step = Conv2d(np.full((1, 1, 15, 15), 1e9), 3)
    assert Fft().accepts(task(step, arithmetic="float64"))
    assert not Fft().accepts(task(step, arithmetic="float64", exact=True))


def test_what_is_no_number_spoils_no_more_than_its_windows() -> None:
    image = PICTURE.astype(np.float32)
    image[70, 80, 0], image[90, 30, 1] = np.nan, np.inf
    step = Conv2d(MEAN, 3)
    result = Fft().apply(task(step, source="float32"), image, 1)
    assert np.count_nonzero(~np.isfinite(result)) == 2 * MEAN.size


def test_window_wider_than_any_tile_is_left_to_others() -> None:
    wide = Conv2d(np.ones((1, 1, 1, 3)), 3, dilation=(1, 1000), padding=Padding(left=2000))
    assert not Fft().accepts(task(wide))


def test_too_many_spectra_are_left_to_others() -> None:
    shape = Shape(300, 300, 256)
    many = Conv2d(np.broadcast_to(1.0, (256, 256, 15, 15)))
    assert not Fft().accepts(Task(many, shape, "float32", "float32", "float32"))


def test_only_convolutions_are_accepted() -> None:
    assert not Fft().accepts(Task(Pool(3, "max", (2, 2), (2, 2)), Shape(4, 4, 3), "uint8", "uint8", "float32"))


def test_weights_of_unknown_numbers_can_be_planned() -> None:
    unknown = task(Conv2d(np.full((1, 1, 31, 31), np.nan), 3))
    assert Fft().accepts(unknown)
    assert Fft().seconds(unknown) > 0


@pytest.mark.parametrize("huge", [1e9, 1e20, np.inf])
def test_a_huge_sample_does_not_show_in_sums_that_it_is_not_in(huge: float) -> None:
    image = np.random.default_rng(4).uniform(0, 255, (90, 100, 1))
    step = Conv2d(np.random.default_rng(5).random((1, 1, 15, 15)), 1)
    given = Task(step, Shape(*image.shape), "float64", "float64", "float64")
    plain = Fft().apply(given, image, 1)
    image[3, 4] = huge
    far = np.s_[30:, 30:]
    np.testing.assert_allclose(Fft().apply(given, image, 1)[far], plain[far], rtol=1e-12)
