"""conv: sizes, values, divisors, biases, channels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from service.engine.errors import InvalidSpec
from service.engine.steps import Conv2d
from service.engine.steps.geometry import Padding, Shape
from tests.engine.operations.images import filtered, noise, operation, parameters, size, steps

SMALL = Shape(8, 8, 3)
NUMBERED = [[1, 2, 3], [4, 5, 6], [7, 8, 9]]
ONES = [[1, 1, 1], [1, 1, 1], [1, 1, 1]]


def conv(**fields: Any) -> dict[str, Any]:
    return {"op": "conv", **fields}


def square(side: int) -> list[list[int]]:
    return [[1] * side for _ in range(side)]


def step(document: dict[str, Any], shape: Shape = SMALL) -> Conv2d:
    (found,) = steps(document, shape)
    assert isinstance(found, Conv2d)
    return found


@pytest.mark.parametrize(
    ("side", "kernel", "fields", "output"),
    [
        (4, 3, {}, 2),
        (5, 4, {"padding": 2}, 6),
        (5, 3, {"padding": 1}, 5),
        (5, 3, {"padding": "same"}, 5),
        (5, 3, {"padding": 2}, 7),
        (5, 3, {"padding": "full"}, 7),
        (5, 3, {"stride": 2}, 2),
        (5, 3, {"stride": 2, "padding": 1}, 3),
        (6, 3, {"stride": 2, "padding": 1}, 3),
        (7, 3, {"dilation": 2}, 3),
        (5, 3, {"padding": "valid"}, 3),
    ],
)
def test_sizes_of_the_arithmetic_report(side: int, kernel: int, fields: dict[str, Any], output: int) -> None:
    assert size(conv(kernel=square(kernel), **fields), side, side) == (output, output)


def test_numbers_of_the_arithmetic_report() -> None:
    image = np.array([[3, 3, 2, 1, 0], [0, 0, 1, 3, 1], [3, 1, 2, 2, 3], [2, 0, 0, 2, 2], [2, 0, 0, 0, 1]], float)
    kernel = [[0, 1, 2], [2, 2, 0], [0, 1, 2]]
    plain = filtered(conv(kernel=kernel), image[:, :, None])
    strided = filtered(conv(kernel=kernel, stride=2, padding=1), image[:, :, None])
    assert plain[:, :, 0].tolist() == [[12, 12, 17], [10, 17, 19], [9, 6, 14]]
    assert strided[:, :, 0].tolist() == [[6, 17, 3], [8, 17, 13], [6, 4, 4]]


def test_correlation_turns_an_impulse_and_convolution_does_not() -> None:
    impulse = np.zeros((3, 3, 1))
    impulse[1, 1] = 1
    correlated = filtered(conv(kernel=NUMBERED, padding="same"), impulse)[:, :, 0]
    convolved = filtered(conv(kernel=NUMBERED, padding="same", mode="convolution"), impulse)[:, :, 0]
    assert correlated.tolist() == [[9, 8, 7], [6, 5, 4], [3, 2, 1]]
    assert convolved.tolist() == NUMBERED


@pytest.mark.parametrize(
    ("padding", "expected"),
    [
        (2, (2, 2, 2, 2)),
        ([1, 2], (1, 1, 2, 2)),
        ({"top": 1, "bottom": 2, "left": 3, "right": 4}, (1, 2, 3, 4)),
        ("valid", (0, 0, 0, 0)),
        ("same", (0, 1, 1, 1)),
        ("same_lower", (1, 0, 1, 1)),
        ("full", (1, 1, 2, 2)),
    ],
)
def test_padding_of_each_form(padding: object, expected: tuple[int, ...]) -> None:
    assert step(conv(kernel=[[1, 1, 1], [1, 1, 1]], padding=padding)).padding == Padding(*expected)


@pytest.mark.parametrize(("padding", "expected"), [("same", (0, 1)), ("same_lower", (1, 0))])
def test_same_with_a_stride_centres_on_the_later_or_the_earlier_samples(
    padding: str, expected: tuple[int, int]
) -> None:
    read = step(conv(kernel=ONES, stride=2, padding=padding), Shape(6, 6, 1))
    assert read.padding.vertical == expected


def test_same_does_not_pad_where_the_stride_leaves_gaps() -> None:
    assert step(conv(kernel=[[1]], stride=3, padding="same")).padding == Padding()


@pytest.mark.parametrize(("fields", "pair"), [({"stride": 2}, (2, 2)), ({"stride": [2, 3]}, (2, 3)), ({}, (1, 1))])
def test_pairs_are_vertical_then_horizontal(fields: dict[str, Any], pair: tuple[int, int]) -> None:
    assert step(conv(kernel=[[1]], **fields)).stride == pair


@pytest.mark.parametrize(
    ("kernel", "divisor", "expected"),
    [
        (ONES, None, 1),
        (ONES, 4, 4),
        (ONES, -0.5, -0.5),
        (ONES, "sum", 9),
        ([[1, -3]], "sum", -2),
        ([[1, -3]], "abs_sum", 4),
        ({"name": "box", "size": 3}, None, 9),
        ({"name": "box", "size": 3}, 2, 18),
        ({"name": "box", "size": 3}, "sum", 9),
    ],
)
def test_divisor(kernel: object, divisor: object, expected: float) -> None:
    assert step(conv(kernel=kernel, divisor=divisor)).divisor == expected


def test_box_keeps_integer_weights_so_that_8_bit_pictures_are_exact() -> None:
    assert step(conv(kernel="box")).reach.integral


def test_divisor_sum_divides_each_output_channel_by_its_own_sum() -> None:
    read = step(conv(weight=[[[[1, 3]]], [[[1, 1]]]], divisor="sum"), Shape(4, 4, 1))
    assert (read.weight[:, 0, 0] / read.divisor).tolist() == [[0.25, 0.75], [0.5, 0.5]]
    assert read.reach.integral


def test_divisor_sum_of_equal_sums_keeps_integers() -> None:
    read = step(conv(weight=[[[[1, 3]]], [[[2, 2]]]], divisor="sum"), Shape(4, 4, 1))
    assert read.divisor == 4
    assert read.reach.integral


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"kernel": "sobel_x"}, "the kernel sums to 0"),
        ({"weight": [[[[1]], [[1]], [[1]]], [[[1]], [[-1]], [[0]]]]}, "the kernel of output channel 1 sums to 0"),
        ({"kernel": [[0.1, 0.2, -0.3]]}, "the kernel sums to 0"),
    ],
)
def test_divisor_sum_of_a_zero_sum_kernel_is_refused(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidSpec, match=words) as refused:
        step(conv(divisor="sum", **fields))
    assert refused.value.faults[0].pointer == "/divisor"


def test_bias_comes_after_the_divisor() -> None:
    image = noise(4, 4)
    result = filtered(conv(kernel=[[2]], divisor=4, bias=100), image)
    np.testing.assert_array_equal(result, image / 2 + 100)


def test_bias_for_each_output_channel() -> None:
    result = filtered(conv(kernel=[[1]], bias=[1, 2, 3]), np.zeros((1, 1, 3)))
    assert result.ravel().tolist() == [1, 2, 3]


def test_weight_mixes_channels_within_their_group() -> None:
    image = np.array([[[1.0, 10, 100, 1000]]])
    weight = [[[[1]], [[2]]], [[[3]], [[4]]], [[[1]], [[1]]], [[[0]], [[1]]]]
    assert filtered(conv(weight=weight, groups=2), image).ravel().tolist() == [21, 43, 1100, 1000]


def test_constant_padding_value() -> None:
    result = filtered(conv(kernel=ONES, padding=1, padding_mode="constant", padding_value=2), np.zeros((1, 1, 1)))
    assert result.ravel().tolist() == [16]


@pytest.mark.parametrize(
    ("document", "shape", "pointer", "words"),
    [
        (conv(kernel=ONES), Shape(2, 8, 3), "", "output would be 6x0"),
        (
            conv(weight=[[[[1]], [[1]]]]),
            Shape(8, 8, 3),
            "/weight",
            "needs 2 x 1 groups = 2 channels, but the image has 3",
        ),
        (conv(weight=[[[[1]]]], groups=3), Shape(8, 8, 3), "/groups", "groups 3 does not divide the 1 output channels"),
        (conv(kernel=[[1]], bias=[1, 2]), Shape(8, 8, 3), "/bias", "2 numbers for 3 output channels"),
        (conv(kernel=square(255), dilation=9999, padding="same"), Shape(8, 8, 3), "/padding", "at most 65536"),
    ],
)
def test_refused_for_the_shape(document: dict[str, Any], shape: Shape, pointer: str, words: str) -> None:
    with pytest.raises(InvalidSpec, match=words) as refused:
        step(document, shape)
    assert [fault.pointer for fault in refused.value.faults or ()] in ([pointer], [] if not pointer else [pointer])


def test_parameters_of_the_article() -> None:
    assert parameters({"op": "conv", "weight": np.ones((32, 16, 3, 3)).tolist()}, 16) == 4608
    assert parameters(conv(kernel=ONES), 3) == 9


def test_unknown_numbers_keep_their_shape_and_need_no_memory() -> None:
    read = operation(conv(weight={"shape": [64, 3, 7, 7]}, divisor="sum", mode="convolution"), shapes=True)
    (found,) = read.steps(Shape(32, 32, 3))
    assert found.weight.shape == (64, 3, 7, 7)
    assert found.weight.strides == (0, 0, 0, 0)
    resolved = read.resolved(Shape(32, 32, 3))
    assert resolved["weight"] == {"shape": [64, 3, 7, 7]}
    assert resolved["divisor"] == "sum"


def test_resolved_gives_numbers_for_what_was_named() -> None:
    resolved = operation(conv(kernel="box", stride=2, padding="same", bias=5)).resolved(Shape(6, 5, 3))
    assert resolved["padding"] == {"top": 0, "bottom": 1, "left": 1, "right": 1}
    assert resolved["stride"] == [2, 2]
    assert resolved["bias"] == [5, 5, 5]
    assert resolved["kernel"] == (np.ones((3, 3)) / 9).tolist()
    assert (resolved["divisor"], resolved["weight"], resolved["padding_value"]) == (1, None, None)
