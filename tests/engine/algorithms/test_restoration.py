"""Restorations: an exact inverse where there is one, and pictures closer to the sharp one where there is none."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from service.engine.algorithms.base import Task
from service.engine.algorithms.ground.restoration import Restoration
from service.engine.steps import Conv2d, Restore
from service.engine.steps.geometry import PaddingMode, Shape
from tests import oracle

RANDOM = np.random.default_rng(0)
GAUSSIAN = np.exp(-(np.arange(-4, 5) ** 2)[:, None] / 4 - np.arange(-3, 4) ** 2 / 4)
PSF = GAUSSIAN / GAUSSIAN.sum()
ASYMMETRIC = np.array([[0, 1, 0], [2, 9, 4], [0, 3, 1]]) / 20


def blocks(height: int, width: int) -> oracle.Numbers:
    """Give a picture of edges: what a blur spoils most."""
    levels = RANDOM.uniform(20, 235, (-(-height // 8), -(-width // 8), 2))
    picture: oracle.Numbers = levels.repeat(8, axis=0).repeat(8, axis=1)[:height, :width]
    return picture


def restored(step: Restore, image: NDArray[np.float64]) -> oracle.Numbers:
    task = Task(step, Shape(*image.shape), "float64", "float64", "float64")
    return Restoration().apply(task, image, 2)


def blurred(sharp: oracle.Numbers, psf: oracle.Numbers, mode: PaddingMode) -> oracle.Numbers:
    turned = psf[::-1, ::-1]
    top, left = psf.shape[0] // 2, psf.shape[1] // 2
    padded = oracle.pad(sharp, ((top, top), (left, left)), mode)
    return oracle.convolve(Conv2d(turned[None, None], sharp.shape[2]), padded)


def error(picture: oracle.Numbers, sharp: oracle.Numbers) -> float:
    return float(np.sqrt(np.mean((picture - sharp) ** 2)))


@pytest.mark.parametrize("shape", [(24, 30), (17, 13), (2, 3), (1, 1)])
def test_inverse_restores_a_circular_blur(shape: tuple[int, int]) -> None:
    sharp = blocks(*shape)
    step = Restore(2, ASYMMETRIC, "inverse", padding_mode="circular")
    np.testing.assert_allclose(restored(step, blurred(sharp, ASYMMETRIC, "circular")), sharp, atol=1e-6)


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
@pytest.mark.parametrize("method", ["wiener", "richardson_lucy"])
def test_restoration_comes_closer_to_the_sharp_picture(method: str, mode: PaddingMode) -> None:
    sharp = blocks(64, 61)
    spoiled = blurred(sharp, PSF, mode) + RANDOM.normal(0, 0.5, sharp.shape)
    step = Restore(2, PSF, method, noise_to_signal=1e-3, padding_mode=mode)  # type: ignore[arg-type]
    assert error(restored(step, spoiled), sharp) < 0.8 * error(spoiled, sharp)


def test_blurring_a_restoration_gives_the_picture_again() -> None:
    spoiled = blurred(blocks(64, 61), PSF, "circular")
    step = Restore(2, PSF, "richardson_lucy", iterations=50, padding_mode="circular")
    again = blurred(restored(step, spoiled), PSF, "circular")
    assert error(again, spoiled) < 1


def test_no_iterations_leave_the_picture() -> None:
    picture = blocks(9, 8)
    assert np.array_equal(restored(Restore(2, PSF, "richardson_lucy", iterations=0), picture), picture)


def test_black_picture_stays_black() -> None:
    black = np.zeros((9, 8, 2))
    for method in ("richardson_lucy", "wiener", "inverse"):
        assert not restored(Restore(2, PSF, method), black).any()


def test_frequencies_that_are_gone_stay_away() -> None:
    step = Restore(1, np.array([[0.0, 0.5, 0.5]]), "inverse", padding_mode="circular")
    picture = np.tile([[[0.0], [2.0]]], (2, 3, 1))
    np.testing.assert_allclose(restored(step, picture), np.ones((2, 6, 1)))


def test_psf_without_anything_gives_nothing() -> None:
    picture = blocks(5, 5)
    for step in (Restore(2, np.zeros((3, 3)), "inverse"), Restore(2, np.zeros((3, 3)), "wiener", noise_to_signal=0)):
        assert not restored(step, picture).any()


@pytest.mark.parametrize("method", ["wiener", "inverse", "richardson_lucy"])
def test_psf_larger_than_the_picture_is_wound_around(method: str) -> None:
    psf = RANDOM.uniform(0, 1, (7, 9))
    psf[3, 4] = 100
    step = Restore(2, psf / psf.sum(), method, iterations=3, padding_mode="circular")  # type: ignore[arg-type]
    picture = blocks(3, 4)
    np.testing.assert_allclose(restored(step, picture), oracle.apply(step, picture), rtol=1e-9)
