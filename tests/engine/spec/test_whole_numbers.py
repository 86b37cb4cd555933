"""A whole number may be written 3, 3.0 or 3e0, wherever one is taken; what is none is refused."""

from __future__ import annotations

import json
from typing import Any

import jsonschema_rs
import pytest

from service.engine.errors import EngineError, InvalidSpec
from service.engine.figures.document import figure_document
from service.engine.jobs.documents import image_info
from service.engine.machine.limits import Limits
from service.engine.operations import OPERATIONS
from service.engine.operations.base import OperationBase
from service.engine.spec.spec import json_schema, parse
from service.engine.spec.strict_json import loads
from service.engine.spec.whole_numbers import whole
from service.engine.steps.geometry import Shape

SHAPE = Shape(12, 12, 3)
EXAMPLES = [example for operation in OPERATIONS for example in operation.examples]
VALUES = (1, 2, 3, 5, [2, 2], [1, 3], {"top": 1, "bottom": 0, "left": 2, "right": 1}, [1, 2, 3])
KERNELS = (
    {"name": "box", "size": 3},
    {"name": "box", "size": [3, 5]},
    {"name": "gaussian", "sigma": 2, "size": 5},
    {"name": "motion", "length": 3, "angle": 30},
    {"name": "bilinear", "factor": 2},
)


def with_points(value: Any) -> Any:
    """Write every integer with a point."""
    match value:
        case bool():
            return value
        case int():
            return float(value)
        case list():
            return [with_points(item) for item in value]
        case dict():
            return {name: with_points(item) for name, item in value.items()}
        case _:
            return value


def outcome(document: Any, *, shapes: bool = False) -> Any:
    """Give the resolved steps, or the places of a refusal."""
    try:
        spec = parse(document, Limits(), shapes=shapes)
        return [step.resolved(SHAPE) for step in spec.steps]
    except EngineError as error:
        return sorted(fault.pointer for fault in error.faults), type(error)


def integer_fields(operation: type[OperationBase]) -> list[str]:
    """List the fields of integers; one that takes other numbers as well has integers only in what stands for them."""
    schema = {name: json.dumps(field) for name, field in operation.model_json_schema()["properties"].items()}
    return [name for name, field in schema.items() if '"integer"' in field and '"number"' not in field]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("3", 3),
        ("3.0", 3),
        ("3e0", 3),
        ("30E-1", 3),
        ("-0.0", 0),
        ("1e20", 10**20),
        ("3.5", None),
        ("true", None),
        ('"3"', None),
        ("null", None),
        ("[3]", None),
        ("1e400", None),
        ("1e-400", 0),
    ],
)
def test_json_numbers_without_a_fraction_are_whole(text: str, number: int | None) -> None:
    read = whole(loads(text))
    assert read == number
    assert read is None or type(read) is int


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: str(example["op"]))
def test_examples_with_points_mean_the_same(example: dict[str, Any]) -> None:
    assert outcome(with_points(example)) == outcome(example)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name())
def test_every_integer_field_takes_both_spellings(operation: type[OperationBase]) -> None:
    for name in integer_fields(operation):
        for example in operation.examples:
            for value in VALUES:
                given = example | {name: value}
                assert outcome(with_points(given)) == outcome(given), (name, value)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name())
@pytest.mark.parametrize("text", ["3.5", "true", '"3"', "1e300", "1e400", "-1e300", "[1.5, 1]", "[1, 1e300]"])
def test_what_is_no_integer_in_range_is_refused_by_name(operation: type[OperationBase], text: str) -> None:
    for name in integer_fields(operation):
        with pytest.raises(EngineError) as refused:
            parse(operation.examples[0] | {name: loads(text)}, Limits())
        places = [fault for fault in refused.value.faults if fault.pointer.startswith(f"/{name}")]
        assert places
        assert all(len(fault.detail) < 400 for fault in places)


@pytest.mark.parametrize("kernel", KERNELS, ids=json.dumps)
def test_parameters_of_kernels_take_both_spellings(kernel: dict[str, Any]) -> None:
    given = {"op": "conv", "kernel": kernel}
    steps = outcome(given)
    assert isinstance(steps, list)
    assert outcome(with_points(given)) == steps


def test_shapes_take_both_spellings() -> None:
    given = {"op": "conv", "weight": {"shape": [4, 3, 3, 3]}}
    steps = outcome(given, shapes=True)
    assert isinstance(steps, list)
    assert outcome(with_points(given), shapes=True) == steps
    with pytest.raises(InvalidSpec, match=r"must be an integer of at least 1, was 2\.5"):
        parse({"op": "conv", "weight": {"shape": [4, 3, 2.5, 3]}}, Limits(), shapes=True)


def test_shapes_of_images_take_both_spellings() -> None:
    info = image_info({"width": 640.0, "height": 48e1, "channels": 4.0}, Limits())
    assert (info.width, info.height, info.channels) == (640, 480, 4)
    assert all(type(side) is int for side in (info.width, info.height, info.channels))
    for value in ("640.5", "true", '"640"', "1e300", "1e400", "-1.0"):
        with pytest.raises(InvalidSpec, match="width must be an integer from 1 to"):
            image_info({"width": loads(value), "height": 1}, Limits())


def test_figures_take_both_spellings() -> None:
    spec = {"op": "conv", "kernel": {"shape": [3, 3]}, "stride": 2}
    whole_numbers = {"spec": spec, "image": {"width": 5, "height": 7}}
    figure = figure_document(json.dumps(whole_numbers).encode(), Limits())
    assert figure_document(json.dumps(with_points(whole_numbers)).encode(), Limits()) == figure
    with pytest.raises(InvalidSpec, match=r"width must be an integer from 1 to 24, was 5\.5"):
        figure_document(json.dumps({"spec": spec, "image": {"width": 5.5, "height": 7}}).encode(), Limits())


def test_published_schema_takes_what_is_taken() -> None:
    schema = jsonschema_rs.validator_for(json_schema())
    for example in EXAMPLES:
        assert schema.is_valid(with_points(example))
    assert not schema.is_valid({"op": "upscale", "factor": 2.5})
