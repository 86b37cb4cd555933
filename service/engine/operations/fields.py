"""Fields that several operations share: their parsing, meaning and OpenAPI schema."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from service.engine.errors import InvalidSpec
from service.engine.spec.numbers import LARGEST, array, finite
from service.engine.spec.validation import Checked, Context
from service.engine.spec.vocabulary import unknown_field, unknown_value
from service.engine.spec.whole_numbers import whole
from service.engine.spec.wording import listed, shown
from service.engine.steps import Weights
from service.engine.steps.geometry import Padding, Pair

FARTHEST = 65_536
"""Largest stride, dilation or padding, in samples, including a side's padding that follows from them."""
SMALLEST_DIVISOR = 1e-30

NamedPadding = Literal["valid", "same", "same_lower", "full"]
PADDINGS: tuple[NamedPadding, ...] = ("valid", "same", "same_lower", "full")
RimMode = Literal["zeros", "replicate", "reflect", "symmetric", "circular"]
DivisorName = Literal["sum", "abs_sum"]


def integer(value: object, low: int, high: int, what: str) -> int:
    """Read an integer in any JSON spelling."""
    number = whole(value)
    if number is None or not low <= number <= high:
        raise InvalidSpec(f"must be {what}, was {shown(value)}")
    return number


def pairs(low: int, high: int = FARTHEST) -> Checked:
    """Read an integer for both axes, or [vertical, horizontal]."""
    one = f"an integer from {low} to {high}"

    def check(value: object, context: Context) -> Pair:  # noqa: ARG001 -- one signature for all checks
        if not isinstance(value, list):
            both = integer(value, low, high, f"{one}, or a pair [vertical, horizontal] of them")
            return both, both
        if len(value) != 2:
            raise InvalidSpec(f"must be {one}, or a pair [vertical, horizontal] of them, was {shown(value)}")
        return _at(0, value[0], low, high, one), _at(1, value[1], low, high, one)

    number = {"type": "integer", "minimum": low, "maximum": high}
    return Checked(check, {"anyOf": [number, _PAIR | {"items": number}]})


def padding(value: object, context: Context) -> Padding | NamedPadding:
    """Read any form of `padding`: numbers, or the name of a rule that needs the size of the image."""
    for name in PADDINGS:
        if value == name:
            return name
    if isinstance(value, str):
        raise InvalidSpec(f"must be {_MARGINS_OR_NAMES}; {unknown_value('padding', value, PADDINGS)}")
    return margins(value, context, _MARGINS_OR_NAMES)


def margins(value: object, context: Context, what: str = "") -> Padding:  # noqa: ARG001 -- one signature for all checks
    """Read an integer, [vertical, horizontal] or an object of four sides."""
    one = f"an integer from 0 to {FARTHEST}"
    if isinstance(value, dict):
        for side in Padding._fields:
            if side not in value:
                raise InvalidSpec(f"must name all of {listed(Padding._fields, 'and')}; {side} is missing")
        for side in value:
            if side not in Padding._fields:
                raise unknown_field("a padding", side, Padding._fields)
        return Padding(*(_at(side, value[side], 0, FARTHEST, one) for side in Padding._fields))
    if isinstance(value, list) and len(value) == 2:
        vertical, horizontal = (_at(axis, value[axis], 0, FARTHEST, one) for axis in (0, 1))
        return Padding(vertical, vertical, horizontal, horizontal)
    both = integer(value, 0, FARTHEST, what or _MARGINS)
    return Padding(both, both, both, both)


def bias(value: object, context: Context) -> float | Weights:
    """Read one number for all output channels, or a list of one for each."""
    if isinstance(value, list | dict):
        return array(value, 1, context)
    return finite(value, "a number or a list with one for each output channel")


def divisor(value: object, context: Context) -> float | DivisorName:  # noqa: ARG001 -- one signature for all checks
    """Read a number other than 0, or the name of a sum over the kernel."""
    if value == "sum":
        return "sum"
    if value == "abs_sum":
        return "abs_sum"
    what = 'a number other than 0, "sum" or "abs_sum"'
    if isinstance(value, str):
        raise InvalidSpec(f"must be {what}; {unknown_value('divisor', value, ['sum', 'abs_sum'])}")
    number = finite(value, what)
    if abs(number) < SMALLEST_DIVISOR:
        raise InvalidSpec(f"must be {what} (of a magnitude of at least {SMALLEST_DIVISOR:g}), was {shown(value)}")
    return number


def _at(place: int | str, value: object, low: int, high: int, what: str) -> int:
    try:
        return integer(value, low, high, what)
    except InvalidSpec as error:
        raise error.at(f"/{place}") from None


_MARGINS = f"an integer from 0 to {FARTHEST}, a pair [vertical, horizontal], an object with top, bottom, left and right"
_MARGINS_OR_NAMES = _MARGINS + ", or one of " + listed(f'"{name}"' for name in PADDINGS)
_SIDE = {"type": "integer", "minimum": 0, "maximum": FARTHEST}
_PAIR: dict[str, Any] = {"type": "array", "minItems": 2, "maxItems": 2}
_SIDES = {
    "type": "object",
    "title": "Sides",
    "properties": dict.fromkeys(Padding._fields, _SIDE),
    "required": list(Padding._fields),
    "additionalProperties": False,
}
_MARGINS_SCHEMA = [_SIDE, _PAIR | {"items": _SIDE}, _SIDES]
_NUMBER = {"type": "number", "minimum": -LARGEST, "maximum": LARGEST}

Steps2d = Annotated[Pair, pairs(1)]
Size2d = Annotated[Pair, pairs(1)]
Extra2d = Annotated[Pair, pairs(0)]
Margins = Annotated[Padding, Checked(margins, {"anyOf": _MARGINS_SCHEMA})]
PaddingField = Annotated[
    Padding | NamedPadding, Checked(padding, {"anyOf": [*_MARGINS_SCHEMA, {"type": "string", "enum": list(PADDINGS)}]})
]
Bias = Annotated[
    float | Weights, Checked(bias, {"anyOf": [_NUMBER, {"type": "array", "items": _NUMBER, "minItems": 1}]})
]
Divisor = Annotated[
    float | DivisorName, Checked(divisor, {"anyOf": [_NUMBER, {"type": "string", "enum": ["sum", "abs_sum"]}]})
]
Number = Annotated[float, Field(ge=-LARGEST, le=LARGEST, allow_inf_nan=False)]
Sigma = Annotated[float, Field(ge=0.01, le=10_000, allow_inf_nan=False)]
