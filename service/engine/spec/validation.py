"""Connect Pydantic with the engine's refusals, keeping the engine's own sentences.

A field with several forms in JSON has its own check, `Checked`, instead of a union, so a client reads one sentence
about the field instead of one for each member of the union.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError, ValidationInfo
from pydantic_core import CoreSchema, ErrorDetails, PydanticCustomError, core_schema

from service.engine.errors import Fault, InvalidSpec, LimitExceeded
from service.engine.machine.limits import Limits
from service.engine.spec.vocabulary import unknown_value
from service.engine.spec.wording import about, listed, pointer, shown

REFUSED = "refused"
MOST_FAULTS = 20
"""Most faults listed in one refusal."""


@dataclass(frozen=True)
class Context:
    """What a check needs besides the value: the limits, and whether a shape may stand for numbers."""

    limits: Limits = field(default_factory=Limits)
    shapes: bool = False


def context_of(info: ValidationInfo[Any]) -> Context:
    return info.context if isinstance(info.context, Context) else Context()


@dataclass(frozen=True, eq=False)
class Checked:
    """The annotation of a field that `check(value, context)` reads and a JSON Schema describes.

    `check` raises InvalidSpec or a LimitExceeded with sentences that lack their subject ("must be ..., was ...") and
    pointers into the value.
    """

    check: Callable[[object, Context], object]
    schema: dict[str, Any]

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(self._validate)

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return dict(self.schema)

    def _validate(self, value: object, info: ValidationInfo[Any]) -> object:
        name = info.field_name or ""
        try:
            return self.check(value, context_of(info))
        except InvalidSpec as error:
            raise refusal(about(error, name)) from None
        except LimitExceeded as error:
            place = "".join(fault.pointer for fault in error.faults)
            raise type(error)(f"{name}{place} {error.detail}").at(f"/{name}{place}") from None


def refusal(faults: tuple[Fault, ...]) -> PydanticCustomError:
    """Wrap faults, with pointers relative to the current value, to pass them through Pydantic."""
    return PydanticCustomError(REFUSED, "refused", {"faults": faults})


def faults_of(error: ValidationError, document: object) -> list[Fault]:
    """Translate Pydantic's findings in a client's `document` to pointers into it and our own sentences."""
    found: list[Fault] = []
    for item in error.errors(include_url=False)[:MOST_FAULTS]:
        path = _true_path(item["loc"], document)
        if item["type"] == REFUSED:
            found += [Fault(pointer(path) + place, detail) for place, detail in item["ctx"]["faults"]]
        else:
            found.append(Fault(pointer(path), f"{_subject(path)} {_sentence(item, path)}"))
    return found


def _true_path(location: tuple[int | str, ...], document: object) -> list[int | str]:
    """Drop the levels of a location that are not in the document, except the last: a missing field."""
    path: list[int | str] = []
    here = document
    for depth, level in enumerate(location):
        if (isinstance(here, dict) and level in here) or (isinstance(here, list) and level in range(len(here))):
            here = here[level]  # type: ignore[index]  # a list has been asked for an index only
        elif depth < len(location) - 1:
            continue
        path.append(level)
    return path


def _subject(path: list[int | str]) -> str:
    return pointer(path).lstrip("/") or "the spec"


def _sentence(item: ErrorDetails, path: list[int | str]) -> str:
    bounds: dict[str, Any] = item.get("ctx", {})
    was = f"was {shown(item['input'])}"
    match item["type"]:
        case "missing":
            return "is missing"
        case "literal_error":
            return _choice(bounds["expected"], item["input"], path)
        case "greater_than_equal":
            return f"must be at least {bounds['ge']:.12g}, {was}"
        case "greater_than":
            return f"must be greater than {bounds['gt']:.12g}, {was}"
        case "less_than_equal":
            return f"must be at most {bounds['le']:.12g}, {was}"
        case "less_than":
            return f"must be less than {bounds['lt']:.12g}, {was}"
        case "int_type" | "int_from_float" | "int_parsing_size":
            return f"must be an integer, {was}"
        case "float_type" | "finite_number":
            return f"must be a finite number, {was}"
        case "model_type" | "model_attributes_type" | "dict_type":
            return f"must be an object, {was}"
        case "extra_forbidden":
            return "is not a field here"
        case _:
            return f"is not valid, {was}"


def _choice(expected: str, value: object, path: list[int | str]) -> str:
    words = [word.strip("'") for word in expected.replace(" or ", ", ").split(", ")]
    choices = listed(f'"{word}"' for word in words)
    if not isinstance(value, str):
        return f"must be {choices}, was {shown(value)}"
    return f"must be {choices}, {unknown_value(str(path[-1]), value, words)}"
