"""Colour matrices: pixels that fill no vector, the end of an image, ties, and what is left to others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.engine.algorithms.base import Task
from service.engine.algorithms.calls import Call
from service.engine.algorithms.pointwise import Pointwise
from service.engine.loops.pointwise import BLOCK, PIECE, ROOM, Colours, recolour
from service.engine.loops.samples import KINDS
from service.engine.steps import Conv2d
from service.engine.steps.geometry import Padding, Pair, Shape
from tests.engine.algorithms.drawn import SAMPLES, task_of
from tests.tolerance import assert_computes


@settings(deadline=None, max_examples=200)
@given(
    st.tuples(st.integers(1, 70), st.integers(1, 70)),
    st.sampled_from([1, 3]),
    st.sampled_from(SAMPLES),
    st.sampled_from(SAMPLES),
    st.sampled_from([1.0, 8.0, -1000.0]),
    st.booleans(),
    st.integers(0, 99),
)
def test_any_matrix_gives_the_oracles_answer(
    size: Pair, outputs: int, source: Any, target: Any, divisor: float, integral: bool, seed: int
) -> None:
    random = np.random.default_rng(seed)
    weight = random.integers(-300, 301, (outputs, 3, 1, 1)) if integral else random.normal(size=(outputs, 3, 1, 1))
    bias = random.integers(-9, 10, outputs).astype(np.float64)
    image = random.integers(0, 256, (*size, 3)).astype(source)
    task = task_of(Conv2d(weight.astype(np.float64), divisor=divisor, bias=bias), image, target, "float32")
    if Pointwise().accepts(task):
        assert_computes(task, image, Pointwise().apply(task, image, 2))
    else:
        assert "float64" in {task.source, task.target, task.arithmetic}


@pytest.mark.parametrize("pixels", [*range(1, 70), *range(BLOCK - 2, BLOCK + 4), PIECE - 1, PIECE + 17, 3 * PIECE + 5])
def test_every_pixel_up_to_the_last(pixels: int) -> None:
    image = np.random.default_rng(pixels).integers(0, 256, (1, pixels, 3), np.uint8)
    step = Conv2d(np.array([299.0, 587.0, 114.0]).reshape(1, 3, 1, 1), divisor=1000)
    task = Task(step, Shape(*image.shape), "uint8", "uint8", "float32", exact=True)
    assert_computes(task, image, Pointwise().apply(task, image, 2))


def test_ties_go_to_the_even_neighbour() -> None:
    image = np.repeat(np.arange(256, dtype=np.uint8), 3).reshape(1, 256, 3)
    for divisor in (2, 6, 10, 1000):
        step = Conv2d(np.array([1.0, 2.0, 2.0]).reshape(1, 3, 1, 1), divisor=divisor)
        task = Task(step, Shape(*image.shape), "uint8", "uint8", "float32", exact=True)
        assert_computes(task, image, Pointwise().apply(task, image, 1))


@pytest.mark.parametrize("reds", [range(red, red + 32) for red in range(0, 256, 32)])
def test_every_colour_is_rounded_as_whole_numbers_are(reds: range) -> None:
    """From three bytes there are 2**24 grays: of 1000 times the luma, half to even."""
    image = np.empty((len(reds), 256 * 256, 3), np.uint8)
    image[..., 0] = np.array(reds)[:, None]
    image[..., 1], image[..., 2] = np.divmod(np.arange(256 * 256), 256)
    step = Conv2d(np.array([299.0, 587.0, 114.0]).reshape(1, 3, 1, 1), divisor=1000)
    task = Task(step, Shape(*image.shape), "uint8", "uint8", "float32", exact=True)
    level, rest = np.divmod(image.astype(np.int32) @ np.array([299, 587, 114], np.int32), 1000)
    expected = level + (rest + level % 2 > 500)
    np.testing.assert_array_equal(Pointwise().apply(task, image, 2)[..., 0], expected)


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("pixels", [1, 15, 16, 21, 22, 63, 64, 69, 70, 150, BLOCK, BLOCK + 1, BLOCK + 2])
def test_what_stands_around_an_image_neither_matters_nor_changes(pixels: int, outputs: int) -> None:
    random = np.random.default_rng(pixels)
    around, out = np.full((pixels + 200, 3), np.nan, np.float32), np.full((pixels + 200, outputs), -7, np.float32)
    image, target = around[100 : 100 + pixels], out[100 : 100 + pixels]
    image[:] = random.normal(size=image.shape)
    weights, one, float32 = random.normal(size=(outputs, 3)).astype(np.float32), np.float32(1), KINDS["float32"]
    colours = Colours(pixels, float32, weights, one, np.zeros(outputs, np.float32), one, float32)
    call = Call(recolour, colours, output=Shape(1, pixels, outputs), target="float32", pieces=1, room=ROOM)
    call.fill(target.reshape(-1).view(np.uint8), image, 1)
    np.testing.assert_allclose(target, image.astype(np.float64) @ weights.T.astype(np.float64), atol=1e-5)
    assert (out[:100] == -7).all()
    assert (out[100 + pixels :] == -7).all()


@pytest.mark.parametrize(
    "step",
    [
        pytest.param(Conv2d(np.ones((1, 3, 1, 1)), stride=(2, 1)), id="stride"),
        pytest.param(Conv2d(np.ones((1, 3, 1, 1)), padding=Padding(1)), id="padding"),
        pytest.param(Conv2d(np.ones((1, 3, 1, 2))), id="kernel"),
        pytest.param(Conv2d(np.ones((1, 4, 1, 1))), id="inputs"),
        pytest.param(Conv2d(np.ones((2, 3, 1, 1))), id="outputs"),
        pytest.param(Conv2d(np.ones((1, 1, 1, 1)), 3), id="shared"),
        pytest.param(Conv2d(np.ones((3, 3, 1, 1)), 3), id="groups"),
    ],
)
def test_other_steps_are_left_to_others(step: Conv2d) -> None:
    assert not Pointwise().accepts(Task(step, Shape(9, 9, step.in_channels), "uint8", "uint8", "float32"))
