"""Nested lists to arrays, and the place of what does not belong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from service.engine.errors import EngineError, InvalidSpec, TooManyChannels, WorkTooLarge
from service.engine.machine.limits import Limits
from service.engine.spec.numbers import array, finite, is_unknown, kernel, kernels
from service.engine.spec.validation import Context
from tests.calls import calls

CONTEXT = Context()
SHAPES = Context(shapes=True)


def refused(value: object, dimensions: int, context: Context = CONTEXT, sides: int = 0) -> tuple[str, str]:
    with pytest.raises(EngineError) as caught:
        array(value, dimensions, context, sides=sides)
    (fault,) = caught.value.faults or ((("", caught.value.detail)),)
    return fault[0], fault[1]


@pytest.mark.parametrize("shape", [(1,), (3,), (2, 3), (4, 1, 2), (2, 3, 4, 5), (1, 1, 1, 1)])
def test_lists_become_read_only_arrays_of_their_shape(shape: tuple[int, ...]) -> None:
    expected = np.random.default_rng(1).normal(size=shape)
    result = array(expected.tolist(), len(shape), CONTEXT)
    np.testing.assert_array_equal(result, expected)
    assert result.dtype == np.float64
    assert not result.flags.writeable


def test_integers_and_floats_may_stand_together() -> None:
    assert array([[1, 2.5], [-3, 10**20]], 2, CONTEXT).tolist() == [[1, 2.5], [-3, 1e20]]


@pytest.mark.parametrize(
    ("value", "dimensions", "place", "words"),
    [
        ([[1, 2], [3, True]], 2, "/1/1", "must be a number, was true"),
        ([[1, "2"]], 2, "/0/1", 'must be a number, was "2"'),
        ([[None]], 2, "/0/0", "must be a number, was null"),
        ([[1, {}]], 2, "/0/1", "must be a number, was an empty object"),
        ([[1, 2], [3]], 2, "/1", "must have 2 elements like the first, has 1"),
        ([[1], [2, 3]], 2, "/1", "must have 1 element like the first, has 2"),
        ([], 2, "", "must be a list of rows, and is empty"),
        ([[]], 2, "/0", "must be a list of numbers, and is empty"),
        ([[1], []], 2, "/1", "must be a list of numbers, and is empty"),
        ([1, 2], 2, "/0", "must be a list of numbers, was 1"),
        (5, 2, "", "must be a list of rows, was 5"),
        ("abc", 2, "", 'must be a list of rows, was "abc"'),
        (None, 1, "", "must be a list of numbers, was null"),
        ([[[1]]], 2, "/0/0", "must be a number, was [1]"),
        ([[1]], 4, "/0/0", "must be a list of rows, was 1"),
        ([[1], 2], 2, "/1", "must be a list of numbers, was 2"),
        ([[float("inf")]], 2, "/0/0", "from -1e30 to 1e30, was a number beyond the range of 64-bit floats"),
        ([[0, float("nan")]], 2, "/0/1", "from -1e30 to 1e30"),
        ([[1e31]], 2, "/0/0", "must be a number from -1e30 to 1e30, was 1e+31"),
        ([[10**400]], 2, "/0/0", "was an integer of 1329 bits"),
        ([[-(10**31)]], 2, "/0/0", "must be a number from -1e30 to 1e30"),
        ([[[[1, 2]], [[1]]]], 4, "/0/1/0", "must have 2 elements like the first, has 1"),
        ([[[[1]], [[1]]], [[[1]]]], 4, "/1", "must have 2 elements like the first, has 1"),
        ([[[[1], [2]]], [[[1]]]], 4, "/1/0", "must have 2 elements like the first, has 1"),
        ([[[[1, 2]]], [[[1]]]], 4, "/1/0/0", "must have 2 elements like the first, has 1"),
        ([[[[1]]], [[[True]]]], 4, "/1/0/0/0", "must be a number, was true"),
        ([[[[1]]], [[[1], [True]]]], 4, "/1/0", "must have 1 element like the first, has 2"),
        ([[[[1]]], [[[False]]]], 4, "/1/0/0/0", "must be a number, was false"),
        ({"shape": [1, 1]}, 2, "", "is understood by /v1/plan and /v1/figure only"),
        ({}, 2, "", "must be a list of rows, was an empty object"),
    ],
)
def test_refusal_leads_to_the_very_element(value: object, dimensions: int, place: str, words: str) -> None:
    pointer, detail = refused(value, dimensions)
    assert pointer == place
    assert words in detail


@pytest.mark.parametrize(
    ("value", "place", "words"),
    [
        ({"shape": [3]}, "/shape", "must be a list of 2 integers, was [3]"),
        ({"shape": 3}, "/shape", "must be a list of 2 integers, was 3"),
        ({"shape": [0, 3]}, "/shape/0", "must be an integer of at least 1, was 0"),
        ({"shape": [3, 2.5]}, "/shape/1", "must be an integer of at least 1, was 2.5"),
        ({"shape": [3, True]}, "/shape/1", "must be an integer of at least 1, was true"),
        ({"shape": [10**9, 10**9]}, "/shape", "at most 16777216 can be sent"),
        ({"shape": [3, 3], "sum": 1}, "", 'must be a list of rows or {"shape": […, …]}, was an object'),
    ],
)
def test_faulty_shape_is_refused(value: object, place: str, words: str) -> None:
    pointer, detail = refused(value, 2, SHAPES)
    assert (pointer, words in detail) == (place, True), detail


@pytest.mark.parametrize("value", [[[[[1]]]] * 9, [[[[1]]] * 9], {"shape": [1, 9, 1, 1]}, [[[[1]]]] * 9 + [True]])
def test_more_channels_than_the_limit_are_refused(value: object) -> None:
    context = Context(Limits(max_channels=8), shapes=True)
    with pytest.raises(TooManyChannels, match="max_channels allows 8 channels"):
        array(value, 4, context, sides=2)


def test_shape_stands_for_unknown_numbers_without_memory() -> None:
    result = array({"shape": [64, 64, 7, 7]}, 4, SHAPES, sides=2)
    assert result.shape == (64, 64, 7, 7)
    assert set(result.strides) == {0}
    assert is_unknown(result)
    assert not is_unknown(array([[0]], 2, CONTEXT))


@pytest.mark.parametrize("value", [[[0] * 6], [[0]] * 6, {"shape": [6, 1]}])
def test_side_above_the_limit_is_too_much_work(value: object) -> None:
    context = Context(Limits(max_kernel_side=5), shapes=True)
    with pytest.raises(WorkTooLarge, match="max_kernel_side allows sides up to 5"):
        array(value, 2, context, sides=2)
    array(value, 2, context)


def test_kernel_by_name_and_by_parameters() -> None:
    assert kernel("sobel_x", CONTEXT).numbers.tolist() == [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]
    box = kernel({"name": "box", "size": [1, 4]}, CONTEXT)
    assert (box.numbers.tolist(), box.divisor, box.values.tolist()) == ([[1, 1, 1, 1]], 4, [[0.25] * 4])


@pytest.mark.parametrize(
    ("value", "place", "words"),
    [
        ({"name": 3}, "/name", "must have the name of a kernel, a string"),
        ({"sigma": 3}, "", "must have a member name"),
        (3, "", "must be a 2-D list of numbers or a named kernel, was 3"),
        (True, "", "must be a 2-D list of numbers or a named kernel, was true"),
        ("gausian", "", 'was "gausian": use "gaussian"'),
    ],
)
def test_faulty_kernel_is_refused(value: object, place: str, words: str) -> None:
    with pytest.raises(InvalidSpec, match=words) as caught:
        kernel(value, CONTEXT)
    assert "".join(fault.pointer for fault in caught.value.faults) == place


def test_kernels_must_be_of_one_size() -> None:
    with pytest.raises(InvalidSpec, match="must have the 3x3 numbers of the first, has 5x5") as caught:
        kernels(["identity", {"name": "box", "size": 5}], CONTEXT)
    assert caught.value.faults[0].pointer == "/1"


@pytest.mark.parametrize("value", [["identity"] * 1025, [[[1]]] * 1025])
def test_more_kernels_than_channels_are_refused_before_they_are_built(value: list[Any]) -> None:
    with pytest.raises(TooManyChannels, match="max_channels allows 1024"):
        kernels(value, CONTEXT)


def test_many_large_named_kernels_are_refused_before_they_are_built() -> None:
    with pytest.raises(InvalidSpec, match="numbers; at most 16777216"):
        kernels([{"name": "box", "size": 255}] * 1000, CONTEXT)


@pytest.mark.parametrize("value", [True, "1", None, [1], {}, float("nan"), float("inf"), 1.1e30, 10**400])
def test_finite_takes_numbers_only(value: object) -> None:
    with pytest.raises(InvalidSpec, match="must be a number"):
        finite(value)


@pytest.mark.parametrize("shape", [(64, 64, 7, 7), (1024, 64, 1, 1), (1, 1, 255, 255)])
def test_large_weight_takes_no_more_python_than_a_small_one(shape: tuple[int, ...]) -> None:
    small, large = (np.random.default_rng(1).normal(size=size).tolist() for size in ((1, 1, 1, 1), shape))
    assert calls(lambda: array(large, 4, CONTEXT, sides=2)) == calls(lambda: array(small, 4, CONTEXT, sides=2))
