"""What holds for every convolution, whatever its numbers; through the whole engine, from array to array."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from service.engine import filter_image
from tests import specs

Image = NDArray[np.float64]
LAW = settings(max_examples=60, deadline=None)


def images(channels: int = 1) -> st.SearchStrategy[Image]:
    """Draw float64 images of 6 to 12 samples a side; whole numbers, whose sums float32 holds."""
    return st.tuples(st.integers(6, 12), st.integers(6, 12), st.integers(0, 2**32 - 1)).map(
        lambda drawn: np.random.default_rng(drawn[2]).integers(0, 256, (*drawn[:2], channels)).astype(np.float64)
    )


def kernels(most: int = 5) -> st.SearchStrategy[list[list[int]]]:
    return st.tuples(st.integers(1, most), st.integers(1, most), st.integers(0, 2**32 - 1)).map(
        lambda drawn: np.random.default_rng(drawn[2]).integers(-9, 10, drawn[:2]).tolist()
    )


def conv(kernel: Any, **fields: Any) -> dict[str, Any]:
    return {"op": "conv", "kernel": kernel, **fields}


@LAW
@given(images(), kernels(), specs.MODES, st.integers(1, 3), st.integers(1, 2))
def test_convolution_is_linear(image: Image, kernel: Any, mode: str, stride: int, dilation: int) -> None:
    spec = conv(kernel, padding="same", padding_mode=mode, stride=stride, dilation=dilation)
    other = image[::-1, ::-1].copy()
    whole = filter_image(3 * image - 2 * other, spec)
    np.testing.assert_array_equal(whole, 3 * filter_image(image, spec) - 2 * filter_image(other, spec))


@LAW
@given(images(), kernels(), st.integers(-5, 5), st.integers(-5, 5))
def test_convolution_of_a_shifted_image_is_shifted(image: Image, kernel: Any, down: int, right: int) -> None:
    spec = conv(kernel, padding="same", padding_mode="circular")
    shifted = np.roll(filter_image(image, spec), (down, right), (0, 1))
    np.testing.assert_array_equal(filter_image(np.roll(image, (down, right), (0, 1)), spec), shifted)


@LAW
@given(kernels())
def test_impulse_gives_the_kernel(kernel: Any) -> None:
    impulse = np.ones((1, 1))
    turned = np.asarray(kernel)[::-1, ::-1]
    convolved = filter_image(impulse, conv(kernel, padding="full", mode="convolution"))
    np.testing.assert_array_equal(convolved[..., 0], kernel)
    np.testing.assert_array_equal(filter_image(impulse, conv(kernel, padding="full"))[..., 0], turned)
    np.testing.assert_array_equal(filter_image(impulse, {"op": "transposed", "kernel": kernel})[..., 0], kernel)


@LAW
@given(images(), kernels(), st.integers(1, 3), st.integers(1, 2))
def test_scattering_is_gathering_from_the_stretched_image(
    image: Image, kernel: Any, stride: int, dilation: int
) -> None:
    height, width, _ = image.shape
    stretched = np.zeros(((height - 1) * stride + 1, (width - 1) * stride + 1))
    stretched[::stride, ::stride] = image[..., 0]
    scattered = filter_image(image, {"op": "transposed", "kernel": kernel, "stride": stride, "dilation": dilation})
    gathered = filter_image(stretched, conv(kernel, mode="convolution", padding="full", dilation=dilation))
    np.testing.assert_array_equal(scattered, gathered)


@LAW
@given(
    images(3),
    st.lists(st.integers(-9, 9), min_size=1, max_size=6),
    st.lists(st.integers(-9, 9), min_size=1, max_size=6),
)
def test_separable_is_its_outer_product(image: Image, column: list[int], row: list[int]) -> None:
    passes = filter_image(image, {"op": "separable", "column": column, "row": row, "padding": "same"})
    whole = filter_image(image, conv(np.multiply.outer(column, row).tolist(), padding="same"))
    np.testing.assert_array_equal(passes, whole)


@LAW
@given(images(2), st.integers(0, 2**32 - 1))
def test_depthwise_separable_is_its_composed_weight(image: Image, seed: int) -> None:
    draw = np.random.default_rng(seed)
    depthwise, pointwise = draw.integers(-9, 10, (4, 3, 2)), draw.integers(-9, 10, (3, 4))
    split = {
        "op": "depthwise_separable",
        "depthwise": depthwise.tolist(),
        "pointwise": pointwise.tolist(),
        "padding": 1,
    }
    # Maps 0 and 1 read channel 0, maps 2 and 3 channel 1.
    weight = np.einsum("ocm,cmhw->ochw", pointwise.reshape(3, 2, 2), depthwise.reshape(2, 2, 3, 2))
    whole = {"op": "conv", "weight": weight.tolist(), "padding": 1}
    np.testing.assert_array_equal(filter_image(image, split), filter_image(image, whole))
