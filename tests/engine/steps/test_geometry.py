"""Sizes, against the figures of vdumoulin/conv_arithmetic and by counting."""

from __future__ import annotations

import numpy as np
import pytest

from service.engine.steps.borders import OUTSIDE, indices
from service.engine.steps.geometry import PaddingMode, conv_size, full_padding, phases, same_padding, transposed_size

FIGURES = [
    # i, k, s, p, d, o
    (4, 3, 1, 0, 1, 2),
    (5, 4, 1, 2, 1, 6),
    (5, 3, 1, 1, 1, 5),
    (5, 3, 1, 2, 1, 7),
    (5, 3, 2, 0, 1, 2),
    (5, 3, 2, 1, 1, 3),
    (6, 3, 2, 1, 1, 3),
    (7, 3, 1, 0, 2, 3),
]


@pytest.mark.parametrize(("size", "kernel", "stride", "padding", "dilation", "output"), FIGURES)
def test_convolution_has_the_size_of_the_figure(
    size: int, kernel: int, stride: int, padding: int, dilation: int, output: int
) -> None:
    assert conv_size(size, kernel, stride, dilation, (padding, padding)) == output


@pytest.mark.parametrize(("size", "kernel", "stride", "padding", "dilation", "output"), FIGURES)
def test_transposed_convolution_leads_back(
    size: int, kernel: int, stride: int, padding: int, dilation: int, output: int
) -> None:
    lost = (size + 2 * padding - dilation * (kernel - 1) - 1) % stride
    assert transposed_size(output, kernel, stride, dilation, (padding, padding), lost) == size


@pytest.mark.parametrize("size", [1, 2, 5, 6, 7, 30])
@pytest.mark.parametrize("kernel", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("dilation", [1, 2])
def test_same_padding_gives_a_strideth_of_the_samples(size: int, kernel: int, stride: int, dilation: int) -> None:
    upper = same_padding(size, kernel, stride, dilation)
    lower = same_padding(size, kernel, stride, dilation, lower=True)
    assert upper == lower[::-1]
    assert 0 <= upper[1] - upper[0] <= 1
    assert conv_size(size, kernel, stride, dilation, upper) == -(-size // stride)


def test_full_padding_lets_one_sample_overlap() -> None:
    assert conv_size(5, 3, 1, 2, full_padding(3, 2)) == 5 + 4


def test_every_tap_is_in_one_phase() -> None:
    assert phases(5, 2, 1) == [[0, 2, 4], [1, 3]]
    assert phases(3, 4, 2) == [[0, 2], [], [1], []]


@pytest.mark.parametrize(
    ("mode", "numpy_mode"),
    [("replicate", "edge"), ("reflect", "reflect"), ("symmetric", "symmetric"), ("circular", "wrap")],
)
@pytest.mark.parametrize("size", [1, 2, 3, 5])
@pytest.mark.parametrize("padding", [(0, 0), (1, 2), (4, 3), (17, 23)])
def test_borders_go_on_as_numpy_pads(mode: PaddingMode, numpy_mode: str, size: int, padding: tuple[int, int]) -> None:
    axis = np.arange(size)
    np.testing.assert_array_equal(axis[indices(size, padding, mode)], np.pad(axis, padding, mode=numpy_mode))  # type: ignore[call-overload]


def test_nothing_stands_beyond_a_border_of_zeros() -> None:
    assert indices(2, (1, 2), "zeros").tolist() == [OUTSIDE, 0, 1, OUTSIDE, OUTSIDE]
