"""Read whole numbers from JSON, which has one kind of number and writes three as 3, 3.0 or 3e0."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator


def whole(value: object) -> int | None:
    """Return the integer that a JSON value represents; None if it is not one: 3.5, true, "3", 1e400.

    Follows JSON Schema's "integer" (draft 2020-12 Validation, section 6.1.1 with Core, section 4.2.3). The result may
    have a thousand bits (1e300): bound it before use.
    """
    if type(value) is int:
        return value
    return int(value) if type(value) is float and value.is_integer() else None


def _of_a_model(value: object) -> object:
    number = whole(value)
    return value if number is None else number


Whole = Annotated[int, BeforeValidator(_of_a_model)]
"""An integer field of a strict model."""
