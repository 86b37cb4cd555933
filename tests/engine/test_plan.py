"""What a plan says is what comes; what a plan refuses is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from time import perf_counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.engine import filter_image, plan_filter
from service.engine.errors import (
    EngineError,
    ImageTooLarge,
    InvalidSpec,
    MemoryLimit,
    MissingImage,
    MissingSpec,
    OutputTooLarge,
    TooManyChannels,
    WorkTooLarge,
)
from service.engine.jobs import Job
from service.engine.limits import Limits
from service.engine.pipeline import perform
from tests import specs
from tests.engine.pictures import as_png, noise


def plan(document: dict[str, Any], limits: Limits | None = None) -> dict[str, Any]:
    body = json.dumps(document).encode()
    result = perform(Job("plan", body, limits or Limits(), perf_counter()), 1)
    answer: dict[str, Any] = json.loads(bytes(result.body))
    return answer


def outcome(call: Callable[[], dict[str, Any]]) -> tuple[Any, Any]:
    """Give what comes of a call: an answer and no refusal, or a refusal and no answer."""
    try:
        return call(), None
    except EngineError as refusal:
        return None, refusal


@settings(max_examples=250, deadline=None)
@given(st.data())
def test_plan_and_result_agree(data: st.DataObject) -> None:
    channels = data.draw(st.integers(1, 4), "channels")
    height, width = data.draw(st.integers(1, 12), "height"), data.draw(st.integers(1, 12), "width")
    colour = channels - (channels % 2 == 0)
    steps = data.draw(st.lists(specs.operations(colour), min_size=1, max_size=2), "steps")
    spec = {"steps": steps}
    image = as_png(noise(height, width, channels))

    sent = {"spec": spec, "image": {"width": width, "height": height, "channels": channels}}
    job = Job("filter", image, Limits(), perf_counter(), form="image", spec=json.dumps(spec).encode(), answer="json")
    planned, refused = outcome(lambda: plan(sent))
    answer, refusal = outcome(lambda: json.loads(bytes(perform(job, 1).body)))
    if refusal is not None and "montage" in refusal.detail:  # a plan does not say what is asked for: it takes the array
        assert planned["output"]["media_type"] == "application/x-npy"
        return
    if refusal is not None or refused is not None:
        assert (type(refused), str(refused)) == (type(refusal), str(refusal))
        assert refused.faults == refusal.faults
        return
    assert planned == answer["plan"]
    assert {name: planned["output"][name] for name in ("width", "height", "channels", "dtype")} == {
        name: answer["image"][name] for name in ("width", "height", "channels", "dtype")
    }
    inputs = [planned["image"], *(step["output"] for step in planned["steps"])]
    for step, before in zip(planned["steps"], inputs, strict=False):
        assert step["input"] == {side: before[side] for side in ("width", "height", "channels")}


def test_standard_layer_has_4608_parameters() -> None:
    layer = {"op": "conv", "weight": {"shape": [32, 16, 3, 3]}, "padding": 1}
    answer = plan_filter(layer, 64, 48, 16, "float32")
    assert answer["parameters"] == 4608
    assert answer["macs"] == 4608 * 64 * 48
    assert answer["steps"][0]["resolved"]["weight"] == {"shape": [32, 16, 3, 3]}  # type: ignore[index]


def test_depthwise_separable_layer_has_656() -> None:
    layer = {
        "op": "depthwise_separable",
        "depthwise": {"shape": [16, 3, 3]},
        "pointwise": {"shape": [32, 16]},
        "padding": 1,
    }
    assert plan_filter(layer, 64, 48, 16, "float32")["parameters"] == 656


def test_separable_sobel_has_6_parameters_for_9() -> None:
    assert plan_filter({"op": "separable", "kernel": "sobel_x"}, 9, 9)["parameters"] == 6
    assert plan_filter({"op": "conv", "kernel": "sobel_x"}, 9, 9)["parameters"] == 9


def test_dilation_widens_the_field_of_view() -> None:
    answer = plan_filter({"op": "conv", "kernel": {"shape": [3, 3]}, "dilation": 2}, 7, 7)
    step = answer["steps"][0]  # type: ignore[index]
    assert step["field_of_view"] == [5, 5]
    assert (step["output"]["height"], step["parameters"]) == (3, 9)


def test_bias_is_counted_apart() -> None:
    answer = plan_filter({"op": "conv", "weight": {"shape": [8, 3, 3, 3]}, "bias": [0] * 8}, 9, 9, 3, "float32")
    assert (answer["parameters"], answer["steps"][0]["bias_parameters"]) == (216, 8)  # type: ignore[index]


CAT = {"width": 640, "height": 480}
SMALL = Limits(max_image_pixels=400_000, max_output_pixels=500_000, max_channels=8, max_steps=2, max_kernel_side=9)
REFUSALS: list[tuple[dict[str, Any], type[EngineError], str, str]] = [
    ({"image": CAT}, MissingSpec, "", "spec"),
    ({"spec": {"op": "sharpen"}}, MissingImage, "", "image"),
    ({"spec": {"op": "sharpen"}, "image": {"width": 3}}, InvalidSpec, "/image/height", "missing"),
    ({"spec": {"op": "sharpen"}, "image": {"width": 0, "height": 2}}, InvalidSpec, "/image/width", "from 1"),
    ({"spec": {"op": "sharpen"}, "image": {**CAT, "chanels": 3}}, InvalidSpec, "/image/chanels", '"channels"'),
    ({"spec": {"op": "sharpen"}, "image": {**CAT, "dtype": "int8"}}, InvalidSpec, "/image/dtype", "uint8"),
    ({"spec": {"op": "sharpen"}, "image": {**CAT, "width": 1000}}, ImageTooLarge, "/image", "400,000"),
    ({"spec": {"op": "sharpen"}, "image": {**CAT, "channels": 9}}, TooManyChannels, "/image/channels", "8"),
    ({"spec": {"op": "upscale"}, "image": CAT}, OutputTooLarge, "/spec", "1280x960"),
    (
        {"spec": {"op": "conv", "weight": {"shape": [9, 3, 1, 1]}}, "image": CAT},
        TooManyChannels,
        "/spec",
        "max_channels",
    ),
    (
        {"spec": {"steps": [{"op": "sharpen"}] * 3}, "image": CAT},
        WorkTooLarge,
        "/spec/steps",
        "3",
    ),
    ({"spec": {"op": "conv", "kernel": {"shape": [11, 3]}}, "image": CAT}, WorkTooLarge, "/spec/kernel", "9"),
    (
        {
            "spec": {"op": "conv", "kernel": [[1, 1]], "dilation": 60_000, "padding": [0, 30_000]},
            "image": CAT,
        },
        OutputTooLarge,
        "/spec",
        "padding",
    ),
]


@pytest.mark.parametrize(("document", "refusal", "pointer", "words"), REFUSALS)
def test_refusal_names_place_and_bound(
    document: dict[str, Any], refusal: type[EngineError], pointer: str, words: str
) -> None:
    with pytest.raises(refusal) as refused:
        plan(document, SMALL)
    assert words in refused.value.detail
    if pointer:
        assert refused.value.faults[0].pointer.startswith(pointer)


def test_work_is_bounded_before_it_begins() -> None:
    with pytest.raises(WorkTooLarge, match="max_macs"):
        plan_filter({"op": "conv", "kernel": {"shape": [201, 201]}, "padding": "same"}, 5000, 4000)


def test_memory_is_bounded_before_it_is_taken() -> None:
    few = replace(Limits(), max_memory_bytes=1 << 25)
    with pytest.raises(MemoryLimit, match="max_memory_bytes"):
        plan_filter({"op": "sharpen"}, 5000, 4000, limits=few)


def test_numbers_may_not_outgrow_float32() -> None:
    image = np.ones((2, 2), np.float32)
    huge = {"steps": [{"op": "conv", "kernel": [[1e20]]}] * 2}
    with pytest.raises(InvalidSpec, match="grow"):
        filter_image(image, huge)
