"""What holds for all operations alike."""

from __future__ import annotations

import json
from importlib import import_module
from inspect import isabstract
from pkgutil import iter_modules
from typing import Any, get_args

import numpy as np
import pytest

from service.engine import operations
from service.engine.operations import OPERATIONS
from service.engine.operations.base import ONLY_WITH, OperationBase
from service.engine.steps import Step
from tests.engine.operations.images import PHOTOGRAPH, operation, steps

EXAMPLES = [
    pytest.param(example, id=f"{cls.name()}-{index}")
    for cls in OPERATIONS
    for index, example in enumerate(cls.examples)
]
FIELDS = [
    pytest.param(cls, name, id=f"{cls.name()}-{name}")
    for cls in OPERATIONS
    for name in cls.model_fields
    if name != "op"
]


def numbers(step: Step) -> list[Any]:
    """List what a step holds, so that two steps can be compared; a divisor counts as part of the weight."""
    fields = dict(vars(step))
    if "x" in fields:
        return [*numbers(fields["x"]), *numbers(fields["y"]), fields["norm"]]
    if "conv" in fields:
        return numbers(fields["conv"])
    divisor = fields.pop("divisor", 1.0)
    if "weight" in fields:
        fields["weight"] = fields["weight"] / divisor
    if fields.pop("factors", None):
        fields["separable"] = True
    return list(fields.values())


def test_every_operation_that_is_written_is_offered_once() -> None:
    modules = [import_module(f"{operations.__name__}.{module.name}") for module in iter_modules(operations.__path__)]
    classes = {value for module in modules for value in vars(module).values() if isinstance(value, type)}
    written = {cls for cls in classes if issubclass(cls, OperationBase) and not isabstract(cls)}
    union, _ = get_args(operations.Operation)
    assert len(OPERATIONS) == len(written)
    assert set(OPERATIONS) == written == set(get_args(union))
    assert len({cls.name() for cls in OPERATIONS}) == len(OPERATIONS)


@pytest.mark.parametrize("cls", OPERATIONS, ids=lambda cls: cls.name())
def test_operation_has_a_summary_notes_and_two_examples(cls: type[OperationBase]) -> None:
    assert cls.summary.endswith(".")
    assert cls.notes.endswith(".")
    assert len(cls.examples) >= 2
    assert len({json.dumps(example) for example in cls.examples}) == len(cls.examples)


@pytest.mark.parametrize("cls", OPERATIONS, ids=lambda cls: cls.name())
def test_alternatives_are_fields_of_which_an_example_gives_one_set(cls: type[OperationBase]) -> None:
    for example in cls.examples if cls.alternatives else ():
        given = [names for names in cls.alternatives if any(name in example for name in names)]
        assert len(given) == 1
        assert set(given[0]) <= example.keys()


@pytest.mark.parametrize(("cls", "name"), FIELDS)
def test_field_that_belongs_to_a_choice_names_one_that_there_is(cls: type[OperationBase], name: str) -> None:
    properties = cls.model_json_schema()["properties"]
    if rule := properties[name].get(ONLY_WITH):
        assert rule.get("choice") in {None, *properties[rule["field"]].get("enum", ())}


@pytest.mark.parametrize(("cls", "name"), FIELDS)
def test_field_is_described(cls: type[OperationBase], name: str) -> None:
    field = cls.model_json_schema()["properties"][name]
    assert field["description"].endswith(".")
    assert "anyOf" in field or "type" in field or "enum" in field


@pytest.mark.parametrize("example", EXAMPLES)
def test_example_fits_a_photograph(example: dict[str, Any]) -> None:
    shape = PHOTOGRAPH
    for step in steps(example):
        assert step.in_channels == shape.channels
        shape = step.output(shape)
    assert 1 <= shape.channels <= 4


@pytest.mark.parametrize("example", EXAMPLES)
def test_resolved_names_every_field_and_is_json(example: dict[str, Any]) -> None:
    read = operation(example)
    resolved = read.resolved(PHOTOGRAPH)
    assert list(resolved) == list(type(read).model_fields)
    assert json.loads(json.dumps(resolved, allow_nan=False)) == resolved


@pytest.mark.parametrize("example", EXAMPLES)
def test_resolved_is_a_spec_of_the_same_steps(example: dict[str, Any]) -> None:
    read = operation(example)
    again = operation(read.resolved(PHOTOGRAPH))
    for one, other in zip(read.steps(PHOTOGRAPH), again.steps(PHOTOGRAPH), strict=True):
        for left, right in zip(numbers(one), numbers(other), strict=True):
            if isinstance(left, np.ndarray):
                np.testing.assert_allclose(left, right, rtol=1e-12, atol=1e-15)
            else:
                assert left == right


@pytest.mark.parametrize("example", EXAMPLES)
def test_steps_hold_no_array_that_can_be_written_to(example: dict[str, Any]) -> None:
    for step in steps(example):
        for value in vars(step).values():
            for array in value if isinstance(value, tuple) else (value,):
                assert not isinstance(array, np.ndarray) or not array.flags.writeable
