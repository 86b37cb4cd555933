"""blur, gradient, sharpen, grayscale, pool, deconvolve."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from service.engine.errors import InvalidSpec
from service.engine.steps import Conv2d, GradientMagnitude, Pool, Restore
from service.engine.steps.geometry import Padding, Shape
from tests.engine.operations.images import filtered, noise, operation, size, steps

MIRRORED: dict[str, Any] = {
    "reflect": "mirror",
    "symmetric": "reflect",
    "replicate": "nearest",
    "circular": "wrap",
    "zeros": "constant",
}


@pytest.mark.parametrize("sigma", [0.3, 1, 2.4])
@pytest.mark.parametrize("mode", MIRRORED)
def test_gaussian_blur_is_scipys(sigma: float, mode: str) -> None:
    image = noise(30, 29)
    result = filtered({"op": "blur", "sigma": sigma, "padding_mode": mode}, image)
    expected = ndimage.gaussian_filter(image[:, :, 0], sigma, mode=MIRRORED[mode])
    np.testing.assert_allclose(result[:, :, 0], expected, rtol=1e-12)


def test_box_blur_is_the_mean_by_integers_and_a_divisor() -> None:
    (step,) = steps({"op": "blur", "method": "box", "size": [3, 5]})
    assert isinstance(step, Conv2d)
    assert (step.divisor, step.reach.integral, step.kernel_size) == (15, True, (3, 5))
    image = noise(9, 9)
    expected = ndimage.uniform_filter(image[:, :, 0], (3, 5), mode="mirror")
    result = filtered({"op": "blur", "method": "box", "size": [3, 5]}, image)
    np.testing.assert_allclose(result[:, :, 0], expected, rtol=1e-12)


@pytest.mark.parametrize(
    "document",
    [
        {"op": "blur", "sigma": 3, "dilation": 3},
        {"op": "blur", "sigma": 0.01},
        {"op": "blur", "method": "box", "size": 4},
        {"op": "blur", "method": "box", "size": [1, 255], "dilation": [1, 2]},
        {"op": "gradient"},
        {"op": "sharpen", "sigma": 2},
        {"op": "deconvolve", "psf": "box"},
    ],
)
@pytest.mark.parametrize("side", [1, 2, 7])
def test_size_is_kept(document: dict[str, Any], side: int) -> None:
    assert size(document, side, side + 1) == (side, side + 1)


def test_even_box_has_its_odd_sample_at_the_bottom_and_right() -> None:
    (step,) = steps({"op": "blur", "method": "box", "size": [2, 4]})
    assert isinstance(step, Conv2d)
    assert step.padding == Padding(0, 1, 1, 2)


def test_blur_is_computed_in_two_passes() -> None:
    (step,) = steps({"op": "blur", "sigma": 2})
    assert isinstance(step, Conv2d)
    assert step.parameters == 2 * 17


def test_gradient_x_grows_to_the_right_and_y_downwards() -> None:
    y, x = np.mgrid[0:8, 0:8].astype(float)
    for direction, ramp, other in (("x", x, y), ("y", y, x)):
        document = {"op": "gradient", "direction": direction}
        assert np.all(filtered(document, ramp[:, :, None])[1:-1, 1:-1] == 8)
        assert np.all(filtered(document, other[:, :, None]) == 0)


@pytest.mark.parametrize("operator", ["sobel", "prewitt"])
def test_gradient_is_scipys(operator: str) -> None:
    image = noise(9, 8)
    slope = {"sobel": ndimage.sobel, "prewitt": ndimage.prewitt}[operator]
    x, y = (slope(image[:, :, 0], axis=axis, mode="mirror") for axis in (1, 0))
    for direction, expected in (("x", x), ("y", y), ("magnitude", np.hypot(x, y))):
        result = filtered({"op": "gradient", "operator": operator, "direction": direction}, image)
        np.testing.assert_allclose(result[:, :, 0], expected, rtol=1e-12, atol=1e-12)
    steep = filtered({"op": "gradient", "operator": operator, "norm": "l1"}, image)
    np.testing.assert_array_equal(steep[:, :, 0], np.abs(x) + np.abs(y))


def test_scharr_smooths_by_3_10_3() -> None:
    (step,) = steps({"op": "gradient", "operator": "scharr"})
    assert isinstance(step, GradientMagnitude)
    assert step.x.weight[0, 0].tolist() == [[-3, 0, 3], [-10, 0, 10], [-3, 0, 3]]
    assert step.y.weight[0, 0].tolist() == step.x.weight[0, 0].T.tolist()
    assert step.parameters == 12


def test_sharpen_adds_what_the_gaussian_takes_away() -> None:
    image = noise(20, 20, 3)
    blurred = filtered({"op": "blur", "sigma": 1.5}, image)
    result = filtered({"op": "sharpen", "sigma": 1.5, "amount": 0.7}, image)
    np.testing.assert_allclose(result, image + 0.7 * (image - blurred), rtol=1e-11, atol=1e-10)


def test_sharpen_by_0_changes_nothing() -> None:
    image = noise(5, 5)
    np.testing.assert_array_equal(filtered({"op": "sharpen", "amount": 0}, image), image)


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ("bt601", [0.299, 0.587, 0.114]),
        ("bt709", [0.2126, 0.7152, 0.0722]),
        ([1, -2, 3], [1, -2, 3]),
    ],
)
def test_grayscale_weighs_red_green_and_blue(weights: object, expected: list[float]) -> None:
    image = noise(3, 3, 3)
    result = filtered({"op": "grayscale", "weights": weights}, image)
    np.testing.assert_allclose(result[:, :, 0], image @ expected, rtol=1e-12)


def test_standards_are_integers_over_a_divisor() -> None:
    for name in ("bt601", "bt709"):
        (step,) = steps({"op": "grayscale", "weights": name})
        assert isinstance(step, Conv2d)
        assert step.reach.integral
        assert step.weight.sum() == step.divisor


def test_gray_image_stays_as_it_is() -> None:
    image = noise(3, 3)
    for weights in ("bt601", [5, 5, 5]):
        np.testing.assert_array_equal(filtered({"op": "grayscale", "weights": weights}, image), image)


def test_grayscale_of_two_channels_is_refused() -> None:
    with pytest.raises(InvalidSpec, match="needs 3 colour channels, or 1 that is gray already; there are 2"):
        steps({"op": "grayscale"}, Shape(4, 4, 2))


@pytest.mark.parametrize("method", ["max", "average"])
def test_pooling_of_the_arithmetic_report(method: str) -> None:
    assert size({"op": "pool", "method": method, "size": 3, "stride": 1}, 5, 5) == (3, 3)


def test_pool_steps_by_its_size_unless_told() -> None:
    (step,) = steps({"op": "pool", "size": [2, 3]})
    assert isinstance(step, Pool)
    assert step.stride == (2, 3)


def test_average_counts_the_padding_in() -> None:
    document = {"op": "pool", "method": "average", "size": 2, "stride": 1, "padding": 1}
    assert filtered(document, np.full((1, 1, 1), 8.0)).ravel().tolist() == [2, 2, 2, 2]


def test_largest_never_comes_from_the_padding() -> None:
    document = {"op": "pool", "method": "max", "size": 3, "padding": 1}
    assert filtered(document, np.full((2, 2, 1), -5.0)).ravel().tolist() == [-5]


@pytest.mark.parametrize("side", range(1, 9))
@pytest.mark.parametrize("taps", [1, 2, 3])
@pytest.mark.parametrize("dilation", [1, 2, 3, 5])
@pytest.mark.parametrize("stride", [1, 2])
def test_maximum_over_nothing_is_refused_and_over_something_is_not(
    side: int, taps: int, dilation: int, stride: int
) -> None:
    view = dilation * (taps - 1) + 1
    for padding in range(view // 2 + 1):
        document = {"op": "pool", "size": taps, "stride": stride, "dilation": dilation, "padding": padding}
        if side + 2 * padding < view:
            continue
        begins = range(-padding, side + padding - view + 1, stride)
        empty = [b for b in begins if not any(0 <= b + k * dilation < side for k in range(taps))]
        if empty:
            with pytest.raises(InvalidSpec, match="leaves a window without any of the"):
                steps(document, Shape(side, side, 1))
        else:
            steps(document, Shape(side, side, 1))


def test_deconvolve_hands_its_psf_on_as_written() -> None:
    (step,) = steps({"op": "deconvolve", "psf": [[1, 2, 3]], "padding_mode": "circular"})
    assert isinstance(step, Restore)
    assert step.psf.tolist() == [[1, 2, 3]]
    assert (step.method, step.noise_to_signal, step.padding_mode) == ("wiener", 0.01, "circular")


def test_deconvolve_resolves_the_fields_of_its_method_only() -> None:
    shape = Shape(5, 5, 1)
    wiener = operation({"op": "deconvolve", "psf": "box"}).resolved(shape)
    lucy = operation({"op": "deconvolve", "psf": "box", "method": "richardson_lucy"}).resolved(shape)
    assert (wiener["noise_to_signal"], wiener["iterations"]) == (0.01, None)
    assert (lucy["noise_to_signal"], lucy["iterations"]) == (None, 20)


def test_wiener_brings_a_blurred_image_back() -> None:
    image = noise(12, 12)
    psf = [[0, 0.1, 0], [0.1, 0.6, 0.05], [0, 0.15, 0]]
    blur = {"op": "conv", "kernel": psf, "mode": "convolution", "padding": "same", "padding_mode": "circular"}
    restore = {"op": "deconvolve", "psf": psf, "noise_to_signal": 1e-9, "padding_mode": "circular"}
    np.testing.assert_allclose(filtered(restore, filtered(blur, image)), image, atol=1e-3)
