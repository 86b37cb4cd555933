"""separable, depthwise, depthwise_separable."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from service.engine.errors import InvalidSpec
from service.engine.spec.named_kernels import KERNELS
from service.engine.steps import Conv2d
from service.engine.steps.geometry import Shape
from service.engine.steps.taps import factors
from tests.engine.operations.images import filtered, noise, operation, parameters, steps

RANK_ONE = [name for name in KERNELS if factors(KERNELS[name].numbers(**KERNELS[name].read({}))) is not None]


def one_step(document: dict[str, Any], channels: int = 3) -> Conv2d:
    (found,) = steps(document, Shape(16, 16, channels))
    assert isinstance(found, Conv2d)
    return found


def test_separable_is_conv_with_the_outer_product() -> None:
    image = noise(9, 8, 3)
    fields = {"stride": [2, 1], "dilation": [1, 2], "padding": 2, "padding_mode": "symmetric", "mode": "convolution"}
    column, row = [1, 2, 5], [3, -1]
    two_passes = {"op": "separable", "column": column, "row": row, "divisor": 3, "bias": 7, **fields}
    dense = {"op": "conv", "kernel": np.outer(column, row).tolist(), "divisor": 3, "bias": 7, **fields}
    np.testing.assert_array_equal(filtered(two_passes, image), filtered(dense, image))


def test_separable_has_its_factors_turned_with_the_kernel() -> None:
    step = one_step({"op": "separable", "column": [1, 2], "row": [3, 5, 7], "mode": "convolution"})
    assert step.factors is not None
    np.testing.assert_array_equal(np.outer(*step.factors), step.weight[0, 0])
    np.testing.assert_array_equal(step.factors[1], [7, 5, 3])


def test_separable_kernels_of_rank_one() -> None:
    assert RANK_ONE == [
        "identity",
        "sobel_x",
        "sobel_y",
        "scharr_x",
        "scharr_y",
        "prewitt_x",
        "prewitt_y",
        "box",
        "gaussian",
        "motion",
        "bilinear",
    ]


@pytest.mark.parametrize("name", RANK_ONE)
def test_separable_by_name_is_conv_by_name(name: str) -> None:
    image = noise(12, 13)
    result = filtered({"op": "separable", "kernel": name, "padding": "same"}, image)
    expected = filtered({"op": "conv", "kernel": name, "padding": "same"}, image)
    np.testing.assert_allclose(result, expected, rtol=1e-12, atol=1e-9)


@pytest.mark.parametrize(
    ("name", "column", "row"), [("sobel_x", [1, 2, 1], [-1, 0, 1]), ("scharr_y", [-1, 0, 1], [3, 10, 3])]
)
def test_separable_factors_of_integers_are_integers(name: str, column: list[int], row: list[int]) -> None:
    step = one_step({"op": "separable", "kernel": name})
    assert step.factors is not None
    np.testing.assert_array_equal(np.outer(*step.factors), np.outer(column, row))
    assert all(float(number).is_integer() for factor in step.factors for number in factor)


def test_separable_parameters_are_six_for_nine() -> None:
    assert parameters({"op": "separable", "column": [1, 2, 1], "row": [1, 0, -1]}, 3) == 6


def test_separable_of_unknown_numbers() -> None:
    read = operation({"op": "separable", "kernel": {"shape": [5, 3]}, "divisor": "sum"}, shapes=True)
    (step,) = read.steps(Shape(9, 9, 1))
    assert step.parameters == 8
    assert read.resolved(Shape(9, 9, 1))["column"] == {"shape": [5]}


def test_depthwise_gives_each_channel_its_kernel() -> None:
    image = noise(4, 4, 3)
    result = filtered({"op": "depthwise", "kernels": [[[1]], [[2]], [[3]]]}, image)
    np.testing.assert_array_equal(result, image * [1, 2, 3])


def test_depthwise_outputs_are_in_torchs_order() -> None:
    image = np.array([[[1.0, 100]]])
    result = filtered({"op": "depthwise", "kernels": [[[1]], [[2]], [[3]], [[4]]]}, image)
    assert result.ravel().tolist() == [1, 2, 300, 400]


def test_depthwise_takes_named_kernels() -> None:
    step = one_step({"op": "depthwise", "kernels": ["sobel_x", "identity", "box"]})
    np.testing.assert_allclose(step.weight.sum(axis=(1, 2, 3)), [0, 1, 1])


def test_depthwise_divides_each_kernel_by_its_own_sum() -> None:
    step = one_step({"op": "depthwise", "kernels": [[[1, 1]], [[1, 3]], [[2, 6]]], "divisor": "sum"})
    np.testing.assert_array_equal(step.weight.sum(axis=(1, 2, 3)) / step.divisor, [1, 1, 1])


@pytest.mark.parametrize("op", ["depthwise", "depthwise_separable"])
def test_number_of_kernels_must_be_a_multiple_of_the_channels(op: str) -> None:
    field = "kernels" if op == "depthwise" else "depthwise"
    more = {} if op == "depthwise" else {"pointwise": [[1, 1, 1, 1]]}
    with pytest.raises(
        InvalidSpec, match=f"{field} has 4 kernels for 3 channels: a multiple of 3 is needed"
    ) as refused:
        one_step({"op": op, field: [[[1]]] * 4, **more})
    assert refused.value.faults[0].pointer == f"/{field}"


def test_depthwise_separable_is_both_steps() -> None:
    image = noise(8, 7, 2)
    depthwise = {"op": "depthwise", "kernels": [[[1, 2]], [[3, 4]], [[5, 6]], [[7, 8]]], "stride": 2, "padding": 1}
    pointwise = {"op": "conv", "weight": [[[[1]], [[2]], [[3]], [[4]]]], "bias": 9}
    both = {**depthwise, "op": "depthwise_separable", "depthwise": depthwise["kernels"], "bias": 9}
    both["pointwise"] = [[1, 2, 3, 4]]
    del both["kernels"]
    np.testing.assert_array_equal(filtered(both, image), filtered(pointwise, filtered(depthwise, image)))


def test_depthwise_separable_parameters_of_the_article() -> None:
    document = {
        "op": "depthwise_separable",
        "depthwise": np.ones((16, 3, 3)).tolist(),
        "pointwise": np.ones((32, 16)).tolist(),
    }
    assert parameters(document, 16) == 656


def test_pointwise_must_read_what_depthwise_gives() -> None:
    with pytest.raises(InvalidSpec, match="rows of 2 numbers, but depthwise gives 3 channels") as refused:
        steps({"op": "depthwise_separable", "depthwise": [[[1]]] * 3, "pointwise": [[1, 1]]})
    assert refused.value.faults[0].pointer == "/pointwise"


def test_bias_of_the_pointwise_step_counts_its_outputs() -> None:
    with pytest.raises(InvalidSpec, match="3 numbers for 1 output channel"):
        steps({"op": "depthwise_separable", "depthwise": [[[1]]] * 3, "pointwise": [[1, 1, 1]], "bias": [1, 2, 3]})


def test_depthwise_separable_of_unknown_numbers() -> None:
    shapes = {"depthwise": {"shape": [16, 3, 3]}, "pointwise": {"shape": [32, 16]}}
    read = operation({"op": "depthwise_separable", **shapes}, shapes=True)
    assert sum(step.parameters for step in read.steps(Shape(9, 9, 16))) == 656
    resolved = read.resolved(Shape(9, 9, 16))
    assert {name: resolved[name] for name in shapes} == shapes
