"""transposed and upscale."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from service.engine.errors import InvalidSpec
from service.engine.steps import ConvTranspose2d
from service.engine.steps.geometry import Shape
from tests.engine.operations.images import Numbers, filtered, noise, operation, size, steps


def transposed(**fields: Any) -> dict[str, Any]:
    return {"op": "transposed", **fields}


def square(side: int) -> list[list[int]]:
    return [[1] * side for _ in range(side)]


@pytest.mark.parametrize(
    ("side", "kernel", "fields", "output"),
    [
        (2, 3, {}, 4),
        (6, 4, {"padding": 2}, 5),
        (5, 3, {"padding": 1}, 5),
        (7, 3, {"padding": 2}, 5),
        (2, 3, {"stride": 2}, 5),
        (3, 3, {"stride": 2, "padding": 1}, 5),
        (3, 3, {"stride": 2, "padding": 1, "output_padding": 1}, 6),
        (3, 3, {"stride": 2, "padding": 1, "output_size": [6, 6]}, 6),
        (5, 2, {"stride": 2}, 10),
        (5, 4, {"stride": 2, "padding": 1}, 10),
        (5, 6, {"stride": 2, "padding": 2}, 10),
        (5, 5, {"stride": 2, "padding": 2, "output_padding": 1}, 10),
        (3, 3, {"dilation": 2, "output_padding": 1}, 8),
    ],
)
def test_sizes_of_the_arithmetic_report(side: int, kernel: int, fields: dict[str, Any], output: int) -> None:
    assert size(transposed(kernel=square(kernel), **fields), side, side) == (output, output)


def test_sample_spreads_the_kernel_as_written_and_turned_with_convolution() -> None:
    kernel = [[1, 2], [3, 4]]
    impulse = np.ones((1, 1, 1))
    assert filtered(transposed(kernel=kernel), impulse)[:, :, 0].tolist() == kernel
    assert filtered(transposed(kernel=kernel, mode="convolution"), impulse)[:, :, 0].tolist() == [[4, 3], [2, 1]]


def test_transposed_is_the_adjoint_of_conv() -> None:
    kernel = [[1, 2, 3], [4, 5, 6]]
    fields = {"kernel": kernel, "stride": [2, 1], "padding": [1, 0], "dilation": [1, 2]}
    x = noise(7, 9)
    y = noise(*size({"op": "conv", **fields}, 7, 9), seed=2)
    there = filtered({"op": "conv", **fields}, x)
    back = filtered(transposed(**fields, output_size=[7, 9]), y)
    assert np.vdot(there, y) == np.vdot(x, back)


def test_weight_mixes_channels_within_their_group() -> None:
    weight = [[[[1]], [[2]]], [[[3]], [[4]]]]
    image = np.array([[[1.0, 10]]])
    assert filtered(transposed(weight=weight), image).ravel().tolist() == [31, 42]
    assert filtered(transposed(weight=weight, groups=2), image).ravel().tolist() == [1, 2, 30, 40]


def test_padding_crops_each_side() -> None:
    whole = filtered(transposed(kernel=square(3), stride=2), noise(4, 4))
    sides = {"top": 1, "bottom": 2, "left": 0, "right": 3}
    cropped = filtered(transposed(kernel=square(3), stride=2, padding=sides), noise(4, 4))
    np.testing.assert_array_equal(cropped, whole[1:-2, :-3])


def test_output_padding_has_the_bias_where_the_kernel_does_not_reach() -> None:
    result = filtered(transposed(kernel=[[5]], stride=2, output_padding=1, bias=3), np.ones((1, 1, 1)))
    assert result[:, :, 0].tolist() == [[8, 3], [3, 3]]


@pytest.mark.parametrize(
    ("fields", "pointer", "words"),
    [
        ({"output_size": [4, 5]}, "/output_size", "cannot have the height 4: from 3 samples come 5 to 6"),
        ({"output_size": [6, 7]}, "/output_size", "cannot have the width 7: from 3 samples come 5 to 6"),
        ({"bias": [1, 2, 3]}, "/bias", "3 numbers for 1 output channel"),
    ],
)
def test_refused_for_the_shape(fields: dict[str, Any], pointer: str, words: str) -> None:
    with pytest.raises(InvalidSpec, match=words) as refused:
        steps(transposed(kernel=square(3), stride=2, padding=1, **fields), Shape(3, 3, 1))
    assert refused.value.faults[0].pointer == pointer


def test_nothing_left_is_refused() -> None:
    with pytest.raises(InvalidSpec, match="output would be"):
        steps(transposed(kernel=[[1]], padding=2), Shape(4, 4, 1))


@pytest.mark.parametrize(("channels", "groups", "pointer"), [(3, 1, "/weight"), (2, 4, "/groups")])
def test_weight_must_read_the_channels(channels: int, groups: int, pointer: str) -> None:
    with pytest.raises(InvalidSpec) as refused:
        steps(transposed(weight=[[[[1]]], [[[1]]]], groups=groups), Shape(4, 4, channels))
    assert refused.value.faults[0].pointer == pointer


def test_output_size_resolves_to_output_padding() -> None:
    resolved = operation(transposed(kernel=square(3), stride=3, output_size=[8, 6])).resolved(Shape(2, 2, 1))
    assert (resolved["output_padding"], resolved["output_size"]) == ([2, 0], None)


def cubic(t: float) -> float:
    a, t = -0.75, abs(t)
    if t <= 1:
        return (a + 2) * t**3 - (a + 3) * t**2 + 1
    return a * t**3 - 5 * a * t**2 + 8 * a * t - 4 * a if t < 2 else 0


def interpolated(line: Numbers, factor: int, method: str) -> Numbers:
    """Interpolate along the first axis as torch does: align_corners=False, indices clamped to the image."""
    size = len(line)
    result = []
    for j in range(size * factor):
        if method == "nearest":
            result.append(line[j // factor])
            continue
        place = (j + 0.5) / factor - 0.5
        if method == "bilinear":
            place = max(place, 0.0)
        base = int(np.floor(place))
        t = place - base
        near = {0: 1 - t, 1: t} if method == "bilinear" else {k: cubic(t - k) for k in (-1, 0, 1, 2)}
        result.append(sum(w * line[min(max(base + k, 0), size - 1)] for k, w in near.items()))
    return np.array(result)


@pytest.mark.parametrize("method", ["nearest", "bilinear", "bicubic"])
@pytest.mark.parametrize("factor", range(2, 9))
@pytest.mark.parametrize("shape", [(1, 1), (1, 3), (2, 5), (4, 3)])
def test_upscale_is_interpolation_to_the_very_edge(method: str, factor: int, shape: tuple[int, int]) -> None:
    image = noise(*shape, 2)
    expected = interpolated(interpolated(image, factor, method).swapaxes(0, 1), factor, method).swapaxes(0, 1)
    result = filtered({"op": "upscale", "factor": factor, "method": method}, image)
    np.testing.assert_allclose(result, expected, rtol=1e-12, atol=1e-10)


def test_upscale_keeps_a_flat_image_flat() -> None:
    for method in ("nearest", "bilinear", "bicubic"):
        result = filtered({"op": "upscale", "factor": 3, "method": method}, np.full((3, 4, 1), 200.0))
        np.testing.assert_allclose(result, 200, rtol=1e-13)


def test_bilinear_2x_has_the_kernel_1_3_3_1() -> None:
    (step,) = steps({"op": "upscale", "method": "bilinear"})
    assert isinstance(step, ConvTranspose2d)
    np.testing.assert_array_equal(step.weight[0, 0] / step.divisor, np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 16)
