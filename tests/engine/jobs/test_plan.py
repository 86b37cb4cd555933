"""What a plan says is what comes; what a plan refuses is refused."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial, reduce
from time import perf_counter
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from service.engine import filter_image, plan_filter
from service.engine.errors import (
    EngineError,
    Fault,
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
from service.engine.jobs.pipeline import perform
from service.engine.machine.limits import Limits
from service.engine.operations import OPERATIONS
from service.engine.operations.base import OperationBase
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


JUNK: st.SearchStrategy[Any] = st.sampled_from(
    [
        None,
        True,
        "",
        "same",
        -1,
        0,
        1.5,
        70_000,
        10**40,
        [],
        [1],
        [1, 2],
        [1, "2"],
        [[1], [2, 3]],
        {},
        {"name": "box"},
        {"top": 1},
    ]
)


def places_in(document: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """List the paths to all values of a JSON document but the root."""
    items = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    return [place for key, value in items for place in [(*path, key), *places_in(value, (*path, key))]]


def spoilt(draw: st.DataObject, document: dict[str, Any]) -> dict[str, Any]:
    """Put something else at a place of a document, take it out, or add a field that is not known."""
    result: dict[str, Any] = json.loads(json.dumps(document))
    *path, last = draw.draw(st.sampled_from(places_in(result)), "place")
    here: Any = result
    for key in path:
        here = here[key]
    how = draw.draw(st.sampled_from(["other", "missing", "more"]))
    if how == "other":
        here[last] = draw.draw(JUNK, "junk")
    elif how == "missing":
        del here[last]
    elif isinstance(here, dict):
        here[draw.draw(st.sampled_from(["strides", "a/b~c", "alpha", "output", "with"]))] = draw.draw(JUNK, "junk")
    return result


def leads_somewhere(fault: Fault, document: Any) -> bool:
    """Resolve a pointer (RFC 6901) in a document; what is missing must be missed at a place that is there."""
    if fault.pointer == "":
        return True
    assert fault.pointer.startswith("/")
    *above, last = (level.replace("~1", "/").replace("~0", "~") for level in fault.pointer.split("/")[1:])
    try:
        here = reduce(member, above, document)
    except LookupError:
        return False
    try:
        member(here, last)
    except LookupError:
        return isinstance(here, dict) and "missing" in fault.detail
    return True


def member(value: Any, key: str) -> Any:
    """Give what `key` of a pointer means in a value; raises LookupError where that is nothing."""
    if isinstance(value, list) and re.fullmatch("0|[1-9][0-9]*", key):
        return value[int(key)]
    if isinstance(value, dict):
        return value[key]
    raise LookupError(key)


def agree(spec: Any, channels: int, height: int, width: int, dtype: str = "uint8") -> None:
    """Send a spec to plan and to filter: both refuse it for the same reason at the same places, or both take it."""
    image = as_png(noise(height, width, channels))
    sent = {"spec": spec, "image": {"width": width, "height": height, "channels": channels}}
    body = json.dumps({"spec": spec, "image": base64.b64encode(image).decode()}).encode()
    job = Job("filter", body, Limits(), perf_counter(), form="document", answer="json")
    planned, refused = outcome(lambda: plan(sent))
    answer, refusal = outcome(lambda: json.loads(bytes(perform(job, 1).body)))
    for fault in [*(refused.faults if refused else ()), *(refusal.faults if refusal else ())]:
        assert leads_somewhere(fault, sent), fault
    if refused is None and refusal is not None and "montage" in refusal.detail:
        assert planned["output"]["media_type"] == "application/x-npy"  # a plan does not say what is asked for
        return
    if refusal is not None or refused is not None:
        assert type(refused) is type(refusal), (refused, refusal)
        assert [fault.pointer for fault in refused.faults] == [fault.pointer for fault in refusal.faults]
        return
    assert planned == answer["plan"]
    assert {name: planned["output"][name] for name in ("width", "height", "channels", "dtype")} == {
        name: answer["image"][name] for name in ("width", "height", "channels", "dtype")
    }
    inputs = [planned["image"], *(step["output"] for step in planned["steps"])]
    for step, before in zip(planned["steps"], inputs, strict=False):
        assert step["input"] == {side: before[side] for side in ("width", "height", "channels")}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_field_of_every_operation_is_drawn(operation: type[OperationBase]) -> None:
    quickly = settings(phases=[Phase.generate], database=None, derandomize=True, deadline=None)
    documents = specs.of_each_kind(3)[operation.name()]
    for name in operation.model_fields:
        find(documents.filter(partial(contains, name=name)), bool, settings=quickly)


def contains(document: dict[str, Any], name: str) -> bool:
    return name in document


@settings(max_examples=250, deadline=None)
@given(st.data())
def test_plan_and_result_agree(data: st.DataObject) -> None:
    channels = data.draw(st.integers(1, 4), "channels")
    height, width = data.draw(st.integers(1, 12), "height"), data.draw(st.integers(1, 12), "width")
    agree(data.draw(specs.documents(channels - (channels % 2 == 0)), "spec"), channels, height, width)


@settings(max_examples=250, deadline=None)
@given(st.data())
def test_plan_and_filter_refuse_alike(data: st.DataObject) -> None:
    agree(spoilt(data, data.draw(specs.documents(3), "spec")), 3, 5, 7)


def shape_of(value: Any) -> list[int]:
    return [len(value), *shape_of(value[0])] if isinstance(value, list) else []


def in_shapes(spec: Any) -> Any:
    """Put {"shape": ...} for all numbers for which it may stand."""
    if isinstance(spec, list):
        return [in_shapes(item) for item in spec]
    if not isinstance(spec, dict):
        return spec
    numbers = {"kernel", "weight", "kernels", "depthwise", "pointwise", "column", "row", "psf", "bias", "weights"}
    return {
        name: {"shape": shape}
        if name in numbers and (shape := shape_of(value)) and not re.search("[a-z]", json.dumps(value))
        else in_shapes(value)
        for name, value in spec.items()
    }


@settings(max_examples=300, deadline=None)
@given(specs.documents(3), st.integers(1, 12), st.integers(1, 12))
def test_shapes_plan_as_the_numbers_do(spec: dict[str, Any], height: int, width: int) -> None:
    image = {"width": width, "height": height}
    planned, refused = outcome(lambda: plan({"spec": spec, "image": image}))
    unknown, refusal = outcome(lambda: plan({"spec": in_shapes(spec), "image": image}))
    if refusal is not None:
        assert refused is not None
        pointers = [[fault.pointer for fault in faulty.faults] for faulty in (refused, refusal)]
        if pointers[0] == pointers[1]:  # else it is a fault of the numbers, and found before the sizes are looked at
            assert (type(refused), str(refused)) == (type(refusal), str(refusal))
    elif refused is None:
        for part in ("output", "parameters", "macs"):
            assert unknown[part] == planned[part]
        for step, known in zip(unknown["steps"], planned["steps"], strict=True):
            assert step["resolved"].keys() == known["resolved"].keys()
            assert step["bias_parameters"] == known["bias_parameters"]


@pytest.mark.parametrize("spec", [example for operation in OPERATIONS for example in operation.examples])
def test_plan_and_result_agree_on_the_examples(spec: dict[str, Any]) -> None:
    agree(spec, 3, 24, 25)


def test_bias_of_a_layer_in_two_parts_is_that_of_the_second() -> None:
    kernels = [[[1, 2], [3, 4]]] * 3
    layer = {"op": "depthwise_separable", "depthwise": kernels, "pointwise": [[1, 2, 3], [4, 5, 6]], "bias": [1, 2]}
    agree(layer, 3, 5, 7)
    assert plan_filter(layer, 7, 5)["steps"][0]["resolved"]["bias"] == [1, 2]  # type: ignore[index]


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
