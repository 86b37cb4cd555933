"""The base of all operations, and of those with a sliding kernel."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cache
from math import lcm, nan
from typing import Any, ClassVar, Literal, get_args

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler, ValidationInfo, model_validator
from pydantic_core import CoreSchema

from service.engine.errors import InvalidSpec
from service.engine.machine.limits import Limits
from service.engine.operations.fields import FARTHEST, Bias, Divisor, Number, PaddingField, Steps2d
from service.engine.operations.illustration import Gains, Illustration
from service.engine.spec.numbers import Kernel, is_unknown, read_only, unknown_numbers
from service.engine.spec.validation import context_of, refusal
from service.engine.steps import Conv2d, Step, Weights
from service.engine.steps.binary import binary_places
from service.engine.steps.geometry import (
    Padding,
    PaddingMode,
    Pair,
    Shape,
    full_padding,
    same_padding,
)

LARGEST_COMMON_SUM = 2**31
"""Largest sum of weights whose products with 16-bit samples are exact in float64."""
ZERO_SUM = 1e-9
"""A sum that is 0 to within rounding, relative to the sum of absolute values."""


ONLY_WITH, ALTERNATIVES = "x-only-with", "x-alternatives"
"""Keywords in an operation's JSON Schema beyond the standard's, for forms generated from it."""


def only_with(field: str, choice: str | None = None) -> dict[str, Any]:
    """Mark a field that belongs to a choice of another field, or to another field that must be given."""
    return {ONLY_WITH: {"field": field} | ({} if choice is None else {"choice": choice})}


class OperationBase(BaseModel, ABC):
    """What a client asks for; it says which steps it is made of, and computes nothing.

    `summary` is one line; each of `examples` runs as it stands on an ordinary RGB photograph. The reference page shows
    `notes` (Markdown) and `illustration`, by default a figure of the first example. `also_called` are other tools'
    names for it. `alternatives` are sets of fields of which exactly one is given.
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    summary: ClassVar[str]
    examples: ClassVar[tuple[dict[str, Any], ...]]
    notes: ClassVar[str]
    illustration: ClassVar[Illustration | Gains | None] = None
    also_called: ClassVar[tuple[str, ...]] = ()
    alternatives: ClassVar[tuple[tuple[str, ...], ...]] = ()

    op: str

    @classmethod
    def name(cls) -> str:
        """Return the value of `op` that asks for this operation."""
        return str(get_args(cls.model_fields["op"].annotation)[0])

    @classmethod
    def undoes(cls, example: dict[str, Any]) -> dict[str, Any] | None:  # noqa: ARG003 -- for those that restore
        """Return the spec of the effect that an example undoes; None if the example is for an unaltered picture."""
        return None

    def steps(self, shape: Shape) -> tuple[Step, ...]:
        """Return the steps for the colour planes of an image: `shape.channels` is without alpha.

        Raises InvalidSpec if the operation does not fit an image of that shape, or a step would have no output; if a
        field is at fault, a pointer leads to it.
        """
        steps = self.compose(shape)
        for step in steps:
            shape = step.output(shape)
        return steps

    def resolved(self, shape: Shape) -> dict[str, object]:
        """Return every field with its value for an image of `shape`, ready for JSON.

        The result is again a spec, with the same steps: paddings are numbers of samples, pairs are pairs, named kernels
        are numbers, there is a bias for each output channel, and unused fields are null. Raises InvalidSpec like
        `steps`.
        """
        self.steps(shape)
        values: dict[str, object] = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: _plain(value) for name, value in (values | self.resolution(shape)).items()}

    @abstractmethod
    def compose(self, shape: Shape) -> tuple[Step, ...]:
        """Return the steps without checking that each has an output."""

    def looks_back(self) -> int | None:
        """Return the index of the earlier step whose result is also needed, or INPUT; None if there is none."""
        return None

    def resolution(self, shape: Shape) -> dict[str, object]:  # noqa: ARG002 -- for those that need it
        """Return the fields whose value depends on the image or on other fields."""
        return {}

    def check(self, limits: Limits) -> None:
        """Check the fields together; raises InvalidSpec with pointers, or WorkTooLarge."""

    @model_validator(mode="after")
    def _checked(self, info: ValidationInfo[Any]) -> OperationBase:
        try:
            for name, (owner, wanted) in _owners(type(self)).items():
                if getattr(self, name) != type(self).model_fields[name].default:
                    belongs(name, owner, getattr(self, owner), wanted)
            self.check(context_of(info).limits)
        except InvalidSpec as error:
            raise refusal(error.at("").faults) from None
        return self

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        schema = handler.resolve_ref_schema(handler(core))
        if hasattr(cls, "summary"):
            schema |= {"description": cls.summary, "examples": list(cls.examples)}
        if cls.alternatives:
            schema[ALTERNATIVES] = [list(names) for names in cls.alternatives]
        return schema


class Kernelled(OperationBase):
    """Has a kernel with a stride, a dilation, an orientation and a bias."""

    stride: Steps2d = Field(
        (1, 1),
        description="Samples from one window to the next: an integer from 1, or [vertical, horizontal].",
        json_schema_extra={"default": 1},
    )
    dilation: Steps2d = Field(
        (1, 1),
        description="Samples from one tap of the kernel to the next: an integer from 1, or [vertical, horizontal].",
        json_schema_extra={"default": 1},
    )
    mode: Literal["correlation", "convolution"] = Field(
        "correlation", description="Apply the kernel as written, or rotated by 180 degrees."
    )
    bias: Bias | None = Field(
        None, description="Added after the divisor, in units of 0 to 255: one number, or one for each output channel."
    )

    def oriented(self, weight: Weights) -> Weights:
        """Turn the last two axes as `mode` asks."""
        if self.mode == "correlation" or is_unknown(weight):
            return weight
        turned = weight[..., ::-1, ::-1] if weight.ndim > 1 else weight[::-1]
        return read_only(np.ascontiguousarray(turned))

    def biases(self, channels: int) -> Weights | None:
        """Return the bias as (channels,); raises InvalidSpec for a list of another length."""
        return biases(self.bias, channels)


class Windowed(Kernelled):
    """Slides a window over a padded image."""

    padding: PaddingField = Field(
        Padding(),
        description=(
            "Samples added at the border: an integer from 0, [vertical, horizontal], an object of four sides, or a "
            'rule: "valid" (none), "same" (the output has ceil(input / stride) samples; an odd sample of padding goes '
            'to the bottom and right), "same_lower" (the same, but to the top and left), "full" (every window that '
            "touches the image)."
        ),
        json_schema_extra={"default": 0},
    )
    padding_mode: PaddingMode = Field(
        "zeros",
        description=(
            "Values of the samples beyond the border of abcd: zeros; constant (padding_value); replicate aaa|abcd|ddd; "
            "reflect dcb|abcd|cba; symmetric cba|abcd|dcb; circular bcd|abcd|abc."
        ),
    )
    padding_value: Number | None = Field(
        None,
        description='Only with padding_mode "constant": the constant, in units of 0 to 255; default 0.',
        json_schema_extra=only_with("padding_mode", "constant"),
    )
    divisor: Divisor | None = Field(
        None,
        description=(
            'Divides the sums: a number other than 0 (null is 1), "sum" of the kernel, or "abs_sum" of its absolute '
            "values. If each output channel has its own kernel, each is divided by its own sum."
        ),
    )

    def conv2d(
        self,
        shape: Shape,
        weight: Weights,
        groups: int,
        *,
        divisor: float = 1.0,
        bias: Weights | None = None,
        factors: tuple[Weights, Weights] | None = None,
    ) -> Conv2d:
        """Make the step of a weight, (out, in / groups, kH, kW), that `divided` returned together with `divisor`."""
        return Conv2d(
            weight=self.oriented(weight),
            groups=groups,
            stride=self.stride,
            dilation=self.dilation,
            padding=self.margins(shape, (weight.shape[2], weight.shape[3])),
            padding_mode=self.padding_mode,
            padding_value=self.padding_value or 0.0,
            divisor=divisor,
            bias=bias,
            factors=factors and (self.oriented(factors[0]), self.oriented(factors[1])),
        )

    def margins(self, shape: Shape, kernel: Pair) -> Padding:
        """Count the samples to add at each side; raises InvalidSpec if there are too many."""
        if isinstance(self.padding, Padding):
            return self.padding
        if self.padding == "valid":
            return Padding()
        sides: list[int] = []
        for size, taps, stride, dilation in zip(shape[:2], kernel, self.stride, self.dilation, strict=True):
            if self.padding == "full":
                sides += full_padding(taps, dilation)
            else:
                sides += same_padding(size, taps, stride, dilation, lower=self.padding == "same_lower")
        if max(sides) > FARTHEST:
            raise InvalidSpec(
                f'padding "{self.padding}" would be {max(sides)} at a side; at most {FARTHEST} is allowed'
            ).at("/padding")
        return Padding(*sides)

    def divided(self, weight: Weights, divisor: float = 1.0) -> tuple[Weights, float]:
        """Apply the field `divisor` to a weight (out, in / groups, kH, kW) that is already over the argument `divisor`.

        Integers, and multiples of 1/2, 1/4 ..., stay exact: kernels with different sums are scaled to the least common
        multiple of the sums, unless that is too large. Then each is divided by its own sum.
        """
        if self.divisor is None:
            return weight, divisor
        if isinstance(self.divisor, float):
            return weight, divisor * self.divisor
        if is_unknown(weight):
            return weight, nan
        absolute = np.abs(weight).sum(axis=(1, 2, 3))
        sums = absolute if self.divisor == "abs_sum" else weight.sum(axis=(1, 2, 3))
        zero = np.flatnonzero(np.abs(sums) <= ZERO_SUM * absolute)
        if len(zero):
            which = "the kernel sums" if len(sums) == 1 else f"the kernel of output channel {zero[0]} sums"
            raise InvalidSpec(f'divisor "{self.divisor}" cannot be used: {which} to 0').at("/divisor")
        if np.all(sums == sums[0]):
            return weight, float(sums[0])
        places = binary_places(weight)
        if places is not None:
            weight, sums = weight * 2.0**places, sums * 2.0**places
            common = lcm(*(int(total) for total in sums))
            if common <= LARGEST_COMMON_SUM:
                return read_only(weight * (common / sums)[:, None, None, None]), float(common)
        return read_only(weight / sums[:, None, None, None]), 1.0

    def window_resolution(self, shape: Shape, step: Conv2d, divisor: float = 1.0) -> dict[str, object]:
        """Return the geometry fields of a step for an image of `shape`, with a kernel over `divisor`."""
        unknown_sum = isinstance(self.divisor, str) and is_unknown(step.weight)
        return {
            "padding": self.margins(shape, step.kernel_size),
            "padding_value": step.padding_value if self.padding_mode == "constant" else None,
            "divisor": self.divisor if unknown_sum else step.divisor / divisor,
            "bias": step.bias,
        }


@cache
def _owners(operation: type[OperationBase]) -> dict[str, tuple[str, str]]:
    """Map each field that belongs to a choice of another field to that field and choice."""
    rules: dict[str, Any] = {
        name: field.json_schema_extra.get(ONLY_WITH, {})
        for name, field in operation.model_fields.items()
        if isinstance(field.json_schema_extra, dict)
    }
    return {name: (rule["field"], rule["choice"]) for name, rule in rules.items() if "choice" in rule}


def biases(bias: float | Weights | None, channels: int) -> Weights | None:
    """Return a bias as (channels,); raises InvalidSpec for a list of another length."""
    if bias is None:
        return None
    if isinstance(bias, float):
        return read_only(np.full(channels, bias))
    if len(bias) != channels:
        raise InvalidSpec(f"bias has {_count(len(bias), 'number')} for {_count(channels, 'output channel')}").at(
            "/bias"
        )
    return bias


def one_of(**alternatives: object) -> str:
    """Return the name of the only alternative that is not None; raises InvalidSpec if there are none or several."""
    given = [name for name, value in alternatives.items() if value is not None]
    if len(given) != 1:
        names = " or ".join(alternatives)
        raise InvalidSpec(f"exactly one of {names} is needed; {'both are' if given else 'neither is'} given")
    return given[0]


def belongs(field: str, owner: str, choice: str, wanted: str) -> None:
    """Refuse a given field that belongs to another choice of the field `owner`."""
    if choice != wanted:
        raise InvalidSpec(f'{field} belongs to {owner} "{wanted}", but {owner} is "{choice}"').at(f"/{field}")


def as_weight(numbers: Weights) -> Weights:
    """View a kernel (kH, kW) as the weight (1, 1, kH, kW) that all channels share."""
    return unknown_numbers(1, 1, *numbers.shape) if is_unknown(numbers) else numbers[None, None]


def as_depthwise(kernels: Weights, channels: int, field: str) -> Weights:
    """View kernels (channels x multiplier, kH, kW) as a weight; raises InvalidSpec if their number does not fit."""
    if len(kernels) % channels:
        raise InvalidSpec(
            f"{field} has {_count(len(kernels), 'kernel')} for {_count(channels, 'channel')}: "
            f"a multiple of {channels} is needed"
        ).at(f"/{field}")
    return unknown_numbers(len(kernels), 1, *kernels.shape[1:]) if is_unknown(kernels) else kernels[:, None]


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" + ("" if number == 1 else "s")


def _plain(value: object) -> object:
    """Convert a field's value for JSON; unknown numbers become their shape."""
    match value:
        case Kernel():
            return _plain(value.values)
        case np.ndarray():
            return {"shape": list(value.shape)} if is_unknown(value) else value.tolist()
        case Padding():
            return value._asdict()
        case tuple():
            return [_plain(item) for item in value]
        case _:
            return value
