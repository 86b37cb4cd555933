"""The judge is judged by hand-computed numbers and by other people's definitions."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage
import scipy.signal

from service.engine.steps import Conv2d, ConvTranspose2d, GradientMagnitude, Pool, Restore
from service.engine.steps.geometry import Padding, Pair, Shape
from tests import oracle

RANDOM = np.random.RandomState(1234)
FIGURE_INPUT = RANDOM.randint(0, 4, (5, 5))
FIGURE_KERNEL = RANDOM.randint(0, 3, (3, 3))


def plane(height: int, width: int) -> oracle.Numbers:
    return np.random.default_rng(height * 100 + width).uniform(0, 255, (height, width))


def kernel(*numbers: list[float]) -> oracle.Numbers:
    return np.array(numbers, np.float64)[None, None]


@pytest.mark.parametrize(
    ("stride", "padding", "values"),
    [
        (1, 0, [[12, 12, 17], [10, 17, 19], [9, 6, 14]]),
        (2, 1, [[6, 17, 3], [8, 17, 13], [6, 4, 4]]),
    ],
)
def test_numerical_figures_of_the_arithmetic_guide(stride: int, padding: int, values: list[list[int]]) -> None:
    weight = FIGURE_KERNEL[None, None].astype(np.float64)
    step = Conv2d(weight, stride=(stride, stride), padding=Padding(*(padding,) * 4))
    assert oracle.apply(step, FIGURE_INPUT[:, :, None])[:, :, 0].tolist() == values


def test_impulse_gives_the_kernel_rotated() -> None:
    impulse = np.zeros((5, 5, 1))
    impulse[2, 2] = 1
    step = Conv2d(kernel([1, 2, 3], [4, 5, 6], [7, 8, 9]), padding=Padding(1, 1, 1, 1))
    assert oracle.apply(step, impulse)[1:4, 1:4, 0].tolist() == [[9, 8, 7], [6, 5, 4], [3, 2, 1]]


@pytest.mark.parametrize(
    ("mode", "name"),
    [
        ("zeros", "constant"),
        ("replicate", "nearest"),
        ("reflect", "mirror"),
        ("symmetric", "reflect"),
        ("circular", "wrap"),
    ],
)
@pytest.mark.parametrize("size", [(7, 6), (2, 3)])
def test_borders_are_those_of_ndimage_by_other_names(mode: str, name: str, size: Pair) -> None:
    samples, weight = plane(*size), plane(7, 5)
    step = Conv2d(weight[None, None], padding=Padding(3, 3, 2, 2), padding_mode=mode)  # type: ignore[arg-type]
    expected = scipy.ndimage.correlate(samples, weight, mode=name)  # type: ignore[arg-type]
    np.testing.assert_allclose(oracle.apply(step, samples[:, :, None])[:, :, 0], expected, rtol=1e-12)


def test_divisor_comes_before_bias() -> None:
    step = Conv2d(kernel([1, 1]), divisor=4, bias=np.array([10.0]))
    assert oracle.apply(step, np.array([[[6], [2]]])).tolist() == [[[12]]]


def test_constant_padding_counts_as_a_sample() -> None:
    step = Conv2d(kernel([1, 10]), padding=Padding(left=1), padding_mode="constant", padding_value=7)
    assert oracle.apply(step, np.array([[[1], [2]]]))[0, :, 0].tolist() == [17, 21]


def test_groups_read_their_own_channels() -> None:
    weight = np.array([[1, 2], [3, 4], [5, 6], [7, 8]], np.float64)[:, :, None, None]
    step = Conv2d(weight, groups=2)
    assert oracle.apply(step, np.array([[[1, 10, 100, 1000]]]))[0, 0].tolist() == [21, 43, 6500, 8700]


def test_shared_kernel_filters_each_channel() -> None:
    step = Conv2d(kernel([2]), groups=3)
    assert oracle.apply(step, np.array([[[1, 2, 3]]]))[0, 0].tolist() == [2, 4, 6]


def test_dilated_strided_convolution_is_that_of_scipy() -> None:
    samples, weight = plane(11, 13), plane(3, 2)
    stretched = np.zeros((5, 4))
    stretched[::2, ::3] = weight
    step = Conv2d(weight[None, None], stride=(2, 3), dilation=(2, 3))
    expected = scipy.signal.correlate2d(samples, stretched, "valid")[::2, ::3]
    np.testing.assert_allclose(oracle.apply(step, samples[:, :, None])[:, :, 0], expected, rtol=1e-12)


def test_scattering_fills_the_gaps_between_samples() -> None:
    step = ConvTranspose2d(kernel([1, 2, 3]), stride=(1, 2), output_padding=(0, 1))
    assert oracle.apply(step, np.array([[[1], [10]]]))[0, :, 0].tolist() == [1, 2, 13, 20, 30, 0]


def test_scattering_without_stride_is_full_convolution() -> None:
    samples, weight = plane(6, 5), plane(3, 4)
    step = ConvTranspose2d(weight[None, None], padding=Padding(1, 0, 2, 1))
    expected = scipy.signal.convolve2d(samples, weight)[1:, 2:-1]
    np.testing.assert_allclose(oracle.apply(step, samples[:, :, None])[:, :, 0], expected, rtol=1e-12)


def test_scattering_is_the_adjoint_of_convolving() -> None:
    random = np.random.default_rng(1)
    weight = random.normal(size=(4, 3, 3, 2))
    forward = Conv2d(weight, groups=2, stride=(2, 3), dilation=(1, 2), padding=Padding(1, 0, 2, 1))
    x = random.normal(size=(8, 13, 6))
    y = random.normal(size=forward.output(Shape(*x.shape)))
    backward = ConvTranspose2d(weight, 2, (2, 3), (1, 2), Padding(1, 0, 2, 1), output_padding=(0, 1))
    assert oracle.apply(backward, y).shape == x.shape
    assert np.vdot(oracle.apply(forward, x), y) == pytest.approx(np.vdot(x, oracle.apply(backward, y)), rel=1e-10)


def test_replicated_rim_does_not_darken() -> None:
    step = ConvTranspose2d(
        kernel([0.25, 0.75, 0.75, 0.25]), stride=(1, 2), padding=Padding(left=3, right=3), replicate=(0, 1)
    )
    assert oracle.apply(step, np.array([[[4], [8]]]))[0, :, 0].tolist() == [4, 5, 7, 8]


def test_gradient_norms() -> None:
    x, y = Conv2d(kernel([-1, 1], [0, 0])), Conv2d(kernel([-1, 0], [1, 0]))
    corner = np.array([[[0], [3]], [[-4], [0]]])
    assert oracle.apply(GradientMagnitude(x, y), corner).tolist() == [[[5]]]
    assert oracle.apply(GradientMagnitude(x, y, "l1"), corner).tolist() == [[[7]]]


def test_padding_is_never_the_largest_and_counts_in_the_mean() -> None:
    samples = np.array([[[-1], [-5]], [[-3], [-9]]])
    padding = Padding(1, 1, 1, 1)
    assert oracle.apply(Pool(1, "max", (2, 2), (2, 2), padding), samples)[:, :, 0].tolist() == [[-1, -5], [-3, -9]]
    assert oracle.apply(Pool(1, "average", (2, 2), (2, 2), padding), samples)[1, 1, 0] == -9 / 4


def test_dilated_pool_skips_samples() -> None:
    samples = np.array([5, 9, 1, 7, 3])[None, :, None]
    assert oracle.apply(Pool(1, "max", (1, 3), (1, 1), dilation=(1, 2)), samples)[0, :, 0].tolist() == [5]


def test_fourier_is_the_transform_of_numpy() -> None:
    samples = plane(5, 6)
    np.testing.assert_allclose(oracle.fourier(samples, -1), np.fft.fft2(samples), atol=1e-9)


def test_inverse_undoes_a_circular_blur() -> None:
    samples, psf = plane(9, 8), np.array([[0, 1, 0], [1, 6, 2], [0, 1, 0]]) / 11
    blurred = oracle.blur(samples, psf)[:, :, None]
    restored = oracle.apply(Restore(1, psf, "inverse", padding_mode="circular"), blurred)
    np.testing.assert_allclose(restored[:, :, 0], samples, atol=1e-9)


def test_blur_is_a_true_convolution() -> None:
    samples, psf = plane(7, 6), plane(3, 5)
    np.testing.assert_allclose(oracle.blur(samples, psf), scipy.ndimage.convolve(samples, psf, mode="wrap"), rtol=1e-12)


def test_richardson_lucy_keeps_a_flat_picture() -> None:
    flat = np.full((4, 5, 1), 80.0)
    restored = oracle.apply(Restore(1, np.full((3, 3), 1 / 9), "richardson_lucy"), flat)
    np.testing.assert_allclose(restored, flat, rtol=1e-12)


def test_storing_rounds_half_to_even_and_clips() -> None:
    numbers = np.array([[[-3, 0.5, 1.5, 2.5, 254.5, 255.5, 300]]])
    assert oracle.stored(numbers, "uint8").tolist() == [[[0, 0, 2, 2, 254, 255, 255]]]
    assert oracle.stored(numbers, "float32").tolist() == numbers.tolist()
