"""downscale."""

from __future__ import annotations

from collections.abc import Callable
from math import pi, sin

import numpy as np
import pytest
from PIL import Image

from service.engine.errors import InvalidSpec
from service.engine.steps import Conv2d, NormalizedConv2d
from service.engine.steps.geometry import Shape
from tests.engine.operations.images import Numbers, filtered, noise, operation, parameters, size, steps


def triangle(d: float) -> float:
    return max(0.0, 1 - abs(d))


def cubic(d: float) -> float:
    a, d = -0.5, abs(d)
    if d < 1:
        return ((a + 2) * d - (a + 3)) * d * d + 1
    return (((d - 5) * d + 8) * d - 4) * a if d < 2 else 0.0


def sinc(d: float) -> float:
    return sin(pi * d) / (pi * d) if d else 1.0


def lanczos(d: float) -> float:
    return sinc(d) * sinc(d / 3) if abs(d) < 3 else 0.0


WEIGHTS: dict[str, tuple[Callable[[float], float], int]] = {
    "bilinear": (triangle, 1),
    "bicubic": (cubic, 2),
    "lanczos3": (lanczos, 3),
}
PILLOW = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos3": Image.Resampling.LANCZOS,
    "area": Image.Resampling.BOX,
}


def reduced(line: Numbers, factor: int, method: str) -> Numbers:
    """Reduce along the first axis as torch antialiases: only samples of the image, by weights that sum to 1."""
    weigh, support = WEIGHTS[method]
    result = []
    for output in range(len(line) // factor):
        centre, reach = factor * (output + 0.5), support * factor
        first, last = max(int(centre - reach + 0.5), 0), min(int(centre + reach + 0.5), len(line))
        weights = np.array([weigh((place + 0.5 - centre) / factor) for place in range(first, last)])
        result.append(np.tensordot(weights / weights.sum(), line[first:last], (0, 0)))
    return np.array(result)


@pytest.mark.parametrize("method", WEIGHTS)
@pytest.mark.parametrize("factor", range(2, 9))
@pytest.mark.parametrize("shape", [(8, 8), (9, 31), (23, 14), (40, 11)])
def test_downscale_antialiases_to_the_very_edge(method: str, factor: int, shape: tuple[int, int]) -> None:
    image = noise(*shape, 2)
    expected = reduced(reduced(image, factor, method).swapaxes(0, 1), factor, method).swapaxes(0, 1)
    result = filtered({"op": "downscale", "factor": factor, "method": method}, image)
    np.testing.assert_allclose(result, expected, rtol=1e-12, atol=1e-9)


@pytest.mark.parametrize("method", PILLOW)
@pytest.mark.parametrize("factor", [2, 3, 5, 8])
def test_downscale_is_pillows_resize_in_floats(method: str, factor: int) -> None:
    image = noise(27, 34)
    height, width = 27 // factor, 34 // factor
    box = (0, 0, width * factor, height * factor)
    there = Image.fromarray(image[:, :, 0].astype(np.float32)).resize((width, height), PILLOW[method], box)
    result = filtered({"op": "downscale", "factor": factor, "method": method}, image)
    np.testing.assert_allclose(result[:, :, 0], np.asarray(there), rtol=0, atol=1e-4)


@pytest.mark.parametrize("factor", range(2, 9))
def test_area_is_the_mean_of_each_square(factor: int) -> None:
    image = noise(3 * factor + 1, 2 * factor + factor - 1, 3)
    squares = image[: 3 * factor, : 2 * factor].reshape(3, factor, 2, factor, 3)
    result = filtered({"op": "downscale", "factor": factor}, image)
    np.testing.assert_allclose(result, squares.mean(axis=(1, 3)), rtol=1e-13)


@pytest.mark.parametrize("method", ["area", *WEIGHTS])
@pytest.mark.parametrize("factor", [2, 3, 8])
def test_downscale_keeps_a_flat_image_flat(method: str, factor: int) -> None:
    result = filtered({"op": "downscale", "factor": factor, "method": method}, np.full((11, 17, 1), 200.0))
    np.testing.assert_allclose(result, 200, rtol=1e-13)


@pytest.mark.parametrize("method", ["area", *WEIGHTS])
def test_sizes_are_rounded_down(method: str) -> None:
    for height, width in ((3, 3), (3, 5), (7, 12), (8, 100)):
        assert size({"op": "downscale", "factor": 3, "method": method}, height, width) == (height // 3, width // 3)


@pytest.mark.parametrize("method", ["area", *WEIGHTS])
def test_smaller_than_the_factor_is_refused(method: str) -> None:
    with pytest.raises(InvalidSpec, match="output would be 2x0: factor 4 leaves nothing of 9x3"):
        operation({"op": "downscale", "factor": 4, "method": method}).steps(Shape(3, 9, 1))


def test_bilinear_2x_has_the_kernel_1_3_3_1() -> None:
    (step,) = steps({"op": "downscale", "method": "bilinear"})
    assert isinstance(step, NormalizedConv2d)
    conv = step.conv
    np.testing.assert_array_equal(conv.weight[0, 0] / conv.divisor, np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 64)


def test_area_is_a_plain_strided_convolution_in_two_passes() -> None:
    (step,) = steps({"op": "downscale", "factor": 5})
    assert isinstance(step, Conv2d)
    assert step.stride == (5, 5)
    assert parameters({"op": "downscale", "factor": 5}, 3) == 10


@pytest.mark.parametrize(("method", "taps"), [("area", 4), ("bilinear", 8), ("bicubic", 16), ("lanczos3", 24)])
def test_multiplications_are_those_of_two_passes(method: str, taps: int) -> None:
    (step,) = steps({"op": "downscale", "factor": 4, "method": method})
    assert step.macs(Shape(48, 64, 3)) == 12 * 16 * 3 * 2 * taps
