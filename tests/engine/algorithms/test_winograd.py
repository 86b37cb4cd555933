"""Tiles of 2 x 2 results: images of any size and channels, tiles at the rim, and sums that stay exact."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.engine.algorithms import winograd
from service.engine.algorithms.base import Task
from service.engine.algorithms.winograd import Winograd
from service.engine.loops.winograd import LANES
from service.engine.steps import Conv2d
from service.engine.steps.geometry import Padding, Pair, Shape
from tests import oracle
from tests.engine.algorithms.drawn import MODES, SAMPLES, paddings, task_of
from tests.tolerance import assert_computes

RANDOM = np.random.default_rng(0)
CHANNELS = [1, 2, 3, 4, LANES - 1, LANES, LANES + 1, 2 * LANES, 2 * LANES + 3, 3 * LANES]


def layer(inputs: int, outputs: int, **fields: Any) -> Conv2d:
    return Conv2d(RANDOM.normal(size=(outputs, inputs, 3, 3)), **fields)


@settings(deadline=None, max_examples=150)
@given(
    st.tuples(st.integers(1, 60), st.integers(1, 60)),
    st.tuples(st.sampled_from(CHANNELS), st.sampled_from(CHANNELS)),
    paddings(4),
    st.sampled_from(MODES),
    st.sampled_from(SAMPLES),
    st.sampled_from(SAMPLES),
    st.sampled_from([1.0, 4.0, -3.0]),
    st.booleans(),
)
def test_any_layer_gives_the_oracles_answer(
    size: Pair,
    channels: Pair,
    padding: Padding,
    mode: Any,
    source: Any,
    target: Any,
    divisor: float,
    integral: bool,
) -> None:
    shape = (*channels, 3, 3)
    weight = RANDOM.integers(-3, 4, shape).astype(np.float64) if integral else RANDOM.normal(size=shape)
    bias = RANDOM.integers(-9, 10, shape[0]).astype(np.float64)
    step = Conv2d(weight, padding=padding, padding_mode=mode, padding_value=7.0, divisor=divisor, bias=bias)
    image = RANDOM.integers(0, 256, (*size, shape[1])).astype(source)
    task = task_of(step, image, target, "float32")
    if Winograd().accepts(task):
        assert_computes(task, image, Winograd().apply(task, image, 2))
    else:
        assert task.exact or step.shared or task.arithmetic == "float64"


@pytest.mark.parametrize("strip_bytes", [1, 100_000, 10_000_000])
@pytest.mark.parametrize("channels", [1, 3, LANES, LANES + 3])
@pytest.mark.parametrize("size", [(1, 1), (2, 3), (7, 130), (33, 50), (5, 700)])
def test_strips_of_any_height_give_the_same(
    strip_bytes: int, channels: int, size: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(winograd, "STRIP_BYTES", strip_bytes)
    step, image = layer(channels, LANES, padding=Padding(1, 1, 1, 1)), RANDOM.normal(size=(*size, channels))
    task = Task(step, Shape(*image.shape), "float64", "float32", "float32")
    assert_computes(task, image, Winograd().apply(task, image, 1))


@pytest.mark.parametrize("largest", [1, 3, 40])
def test_integer_sums_are_exact_or_refused(largest: int) -> None:
    weight = RANDOM.integers(-largest, largest + 1, (16, 16, 3, 3)).astype(np.float64)
    image = RANDOM.integers(0, 256, (20, 21, 16), dtype=np.uint8)
    task = Task(Conv2d(weight), Shape(*image.shape), "uint8", "float32", "float32", exact=True)
    accepted = Winograd().accepts(task)
    assert accepted == (largest < 40)
    if accepted:
        np.testing.assert_array_equal(Winograd().apply(task, image, 2), oracle.apply(task.step, image))


def test_float64_is_left_to_others() -> None:
    task = Task(layer(LANES, LANES), Shape(9, 9, LANES), "float32", "float32", "float64")
    assert not Winograd().accepts(task)


@pytest.mark.parametrize(
    "step",
    [
        pytest.param(layer(LANES, LANES, stride=(1, 2)), id="stride"),
        pytest.param(layer(LANES, LANES, dilation=(2, 1)), id="dilation"),
        pytest.param(layer(LANES, 2 * LANES, groups=2), id="groups"),
        pytest.param(Conv2d(np.ones((LANES, LANES, 3, 2))), id="kernel"),
        pytest.param(Conv2d(np.ones((1, 1, 3, 3)), LANES), id="shared"),
    ],
)
def test_other_layers_are_left_to_others(step: Conv2d) -> None:
    task = Task(step, Shape(9, 9, step.in_channels), "float32", "float32", "float32")
    assert not Winograd().accepts(task)
