"""The words of other tools lead to words that are known here."""

from __future__ import annotations

import re
from typing import get_args

import pytest

from service.engine.operations import OPERATIONS
from service.engine.operations.base import OperationBase
from service.engine.operations.fields import PADDINGS
from service.engine.operations.grayscale import STANDARDS
from service.engine.spec.named_kernels import KERNELS
from service.engine.spec.spec import Chain, Output
from service.engine.spec.vocabulary import FIELDS, HINTS, VALUES, unknown_field, unknown_operation, unknown_value

OPS = [operation.name() for operation in OPERATIONS]
MODELS: list[type[OperationBase] | type[Chain] | type[Output]] = [*OPERATIONS, Chain, Output]
PLAIN = {other: operation.name() for operation in OPERATIONS for other in operation.also_called}
OTHER_NAMES = HINTS | PLAIN
KNOWN_FIELDS = {field for model in MODELS for field in model.model_fields}


def values(field: str) -> set[str]:
    """List the words that a field takes, whichever operation it belongs to."""
    words: dict[str, set[str]] = {
        "padding": set(PADDINGS),
        "kernel": set(KERNELS),
        "psf": set(KERNELS),
        "weights": set(STANDARDS),
    }
    if field == "divisor":
        return {"sum", "abs_sum"}
    literals: set[str] = {
        word
        for model in MODELS
        if field in model.model_fields
        for word in words_of(model.model_fields[field].annotation)
    }
    return words.get(field, set()) | literals


def words_of(annotation: object) -> set[str]:
    if isinstance(annotation, str):
        return {annotation}
    return {word for part in get_args(annotation) for word in words_of(part)}


@pytest.mark.parametrize("name", OTHER_NAMES)
def test_other_name_of_an_operation_leads_to_one_that_is_known(name: str) -> None:
    assert name not in OPS
    assert name == name.lower()
    for candidate in re.split(r"\) or |\bor (?=deconvolve|depthwise|pool)", OTHER_NAMES[name]):
        assert re.match(r"\w+", candidate)
        assert candidate.split()[0] in OPS


def test_other_names_are_given_once() -> None:
    given = [*HINTS, *(other for operation in OPERATIONS for other in operation.also_called)]
    assert len(given) == len(set(given))


@pytest.mark.parametrize("name", FIELDS)
def test_other_name_of_a_field_leads_to_one_that_is_known(name: str) -> None:
    assert set(FIELDS[name]) <= KNOWN_FIELDS


@pytest.mark.parametrize("field", VALUES)
def test_other_value_leads_to_one_that_is_known(field: str) -> None:
    for other, meant in VALUES[field].items():
        quoted = re.findall(r'"(\w+)"', meant) or [meant]
        assert set(quoted) <= values(field), other


def test_case_does_not_matter() -> None:
    assert unknown_operation("CONV2D", OPS, PLAIN).endswith("use conv")
    assert unknown_field("conv", "Strides", ["stride"]).detail.endswith("did you mean stride?")
    assert unknown_value("padding_mode", "Edge", []).endswith('use "replicate"')


def test_unknown_words_are_only_repeated() -> None:
    assert unknown_value("padding_mode", "zzz", ["zeros"]) == 'was "zzz"'
    assert unknown_field("pool", "zzz", ["op", "size"]).detail == "is not a field of pool; it has op and size"
