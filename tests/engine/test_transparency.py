"""What becomes of alpha."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from service.engine import filter_bytes
from service.engine.geometry import Padding
from service.engine.steps import Conv2d
from tests import oracle
from tests.engine.pictures import as_png, from_png, noise
from tests.levels import assert_levels

BOX = {"op": "conv", "kernel": [[1, 1, 1]] * 3, "divisor": 9, "padding": 1, "padding_mode": "reflect"}
SLOPE = {"op": "conv", "kernel": "sobel_x", "padding": 1, "padding_mode": "reflect"}


def run(image: NDArray[np.uint8], step: dict[str, Any], **beside: Any) -> NDArray[Any]:
    return from_png(filter_bytes(as_png(image), {"steps": [step], **beside}))


def box(planes: NDArray[Any]) -> NDArray[np.float64]:
    kernel = np.ones((1, 1, 3, 3))
    step = Conv2d(kernel, planes.shape[2], padding=Padding(1, 1, 1, 1), padding_mode="reflect", divisor=9)
    return oracle.apply(step, planes)


def half_transparent(seed: int = 3) -> NDArray[np.uint8]:
    image = noise(9, 11, 4, seed=seed)
    image[2:6, 3:9, 3] = 0
    return image


def test_opaque_alpha_is_set_aside() -> None:
    image = noise(9, 11, 4)
    image[..., 3] = 255
    result = run(image, BOX)
    assert (result[..., 3] == 255).all()
    np.testing.assert_array_equal(result[..., :3], run(np.ascontiguousarray(image[..., :3]), BOX))


def test_opaque_alpha_follows_the_size() -> None:
    image = noise(9, 11, 2)
    image[..., 1] = 255
    result = run(image, {"op": "transposed", "kernel": [[1, 1], [1, 1]], "stride": 2})
    assert result.shape == (18, 22, 2)
    assert (result[..., 1] == 255).all()


def test_blur_weighs_colour_by_alpha() -> None:
    image = half_transparent()
    result = run(image, BOX)
    alpha = image[..., 3:].astype(np.float64)
    new_alpha = box(alpha)
    colour = np.where(new_alpha > 0, box(image[..., :3] * alpha) / np.where(new_alpha > 0, new_alpha, 1), 0)
    assert_levels(result[..., 3:], new_alpha)
    visible = result[..., 3] > 0
    assert_levels(result[visible][:, None, :3], colour[visible][:, None])


def test_colour_is_zero_where_nothing_is_seen() -> None:
    image = half_transparent()
    for step in (BOX, SLOPE, {"op": "grayscale"}):
        result = run(image, step)
        assert (result[..., :-1][result[..., -1] == 0] == 0).all()


def test_slope_copies_alpha() -> None:
    image = half_transparent()
    result = run(image, SLOPE, output={"range": "abs"})
    np.testing.assert_array_equal(result[..., 3], image[..., 3])
    plain = run(np.ascontiguousarray(image[..., :3]), SLOPE, output={"range": "abs"})
    visible = image[..., 3] > 0
    np.testing.assert_array_equal(result[visible][:, :3], plain[visible])


def test_preserved_alpha_is_sampled_by_a_stride() -> None:
    image = noise(9, 12, 4)
    result = run(image, {"op": "conv", "kernel": [[1, 1, 1]] * 3, "stride": 2, "padding": 1}, alpha="preserve")
    np.testing.assert_array_equal(result[..., 3], image[::2, ::2, 3])


def test_preserved_alpha_is_repeated_by_an_upscale() -> None:
    image = noise(3, 4, 4)
    result = run(image, {"op": "upscale", "factor": 3}, alpha="preserve")
    np.testing.assert_array_equal(result[..., 3], image[..., 3].repeat(3, 0).repeat(3, 1))


def test_four_plain_planes() -> None:
    image = noise(9, 11, 4)
    result = run(image, BOX, alpha="channels")
    assert_levels(result, box(image))


def test_sum_of_a_kernel_counts_alike_with_and_without_alpha() -> None:
    """A kernel of nine ones saturates an RGB picture, and no less an RGBA one that is all but opaque."""
    image = noise(9, 11, 4)
    image[..., 3] = 255
    image[0, 0, 3] = 254
    saturating = {**BOX, "divisor": None}
    result = run(image, saturating)
    assert (result[2:, 2:, :3] == run(np.ascontiguousarray(image[..., :3]), saturating)[2:, 2:]).all()
    assert (result[2:, 2:, 3] == 255).all()


@pytest.mark.parametrize("step", [BOX, SLOPE, {"op": "upscale"}, {"op": "pool", "method": "max", "size": 2}])
@pytest.mark.parametrize("mode", ["auto", "preserve", "premultiply", "channels"])
@pytest.mark.parametrize("channels", [2, 4])
def test_every_mode_takes_every_step(step: dict[str, Any], mode: str, channels: int) -> None:
    image = noise(6, 8, channels)
    assert run(image, step, alpha=mode).shape[2] == channels
