"""A weighted sum of the result so far and an earlier one, which a plain chain of steps cannot express."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, create_model

from service.engine.errors import InvalidSpec
from service.engine.operations.base import OperationBase, biases
from service.engine.operations.fields import Bias
from service.engine.operations.illustration import Illustration
from service.engine.spec.numbers import LARGEST, array
from service.engine.spec.validation import Checked, Context
from service.engine.spec.whole_numbers import whole
from service.engine.spec.wording import shown
from service.engine.steps import INPUT, Weights
from service.engine.steps import Blend as BlendStep
from service.engine.steps.geometry import Shape


def source(value: object, context: Context) -> Literal["input"] | int:  # noqa: ARG001 -- one signature for all checks
    """Read "input" or the number of a step."""
    if value == "input":
        return "input"
    number = whole(value)
    if number is None or number < 0:
        raise InvalidSpec(f'must be "input" or the number of an earlier step, from 0, was {shown(value)}')
    return number


def two_weights(value: object, context: Context) -> Weights:
    """Read two numbers."""
    if not isinstance(value, list | dict):
        raise InvalidSpec(f"must be a list of two numbers, was {shown(value)}")
    numbers = array(value, 1, context)
    if len(numbers) != 2:
        raise InvalidSpec(f"must be a list of two numbers, was a list of {len(numbers)}")
    return numbers


_NUMBER = {"type": "number", "minimum": -LARGEST, "maximum": LARGEST}
Source = Annotated[
    Literal["input"] | int,
    Checked(source, {"anyOf": [{"type": "string", "enum": ["input"]}, {"type": "integer", "minimum": 0}]}),
]
TwoWeights = Annotated[Weights, Checked(two_weights, {"type": "array", "items": _NUMBER, "minItems": 2, "maxItems": 2})]

if TYPE_CHECKING:
    _With = OperationBase
else:
    # "with" is a Python keyword, so no class statement can have a field of that name
    _With = create_model(
        "_With",
        __base__=OperationBase,
        __module__=__name__,
        **{
            "with": (
                Source,
                Field(description='What is added: "input", or the number of an earlier step, counted from 0.'),
            )
        },
    )


class Blend(_With):
    summary: ClassVar = "A weighted sum of the result so far and the input, or the result of an earlier step."
    examples: ClassVar = (
        {"op": "blend", "with": "input", "weights": [0.25, 0.25], "bias": 64},
        {"op": "blend", "with": "input", "weights": [-0.75, 0.25], "bias": 192},
    )
    notes: ClassVar = (
        "The only step that uses the input again, or the result of an earlier step (counted from 0), which must have "
        "the same shape as the result so far. With it you can build differences of blurs, layers of detail and "
        'effects of any strength: after `{"op": "blur", "sigma": 20}`, `{"op": "blend", "with": "input", "weights": '
        '[-0.4, 1.4]}` raises the local contrast. With `"color_space": "linear"`, light is summed. With alpha, '
        "weights that sum to 0 keep the alpha of the result so far; otherwise each colour is weighted by its alpha. "
        "The photograph below is blended with itself, which is all that a single step can do; the "
        "[presets](#presets) show more."
    )
    illustration: ClassVar = Illustration(
        {"op": "conv", "weight": [[[[0.5]], [[0.5]]]]},
        side=4,
        channels=2,
        heading="Blend: a pointwise sum of two planes",
    )
    also_called: ClassVar = ("add", "addweighted", "subtract", "difference", "mix", "composite")

    op: Literal["blend"]
    weights: TwoWeights = Field(
        description="[a, b]: the new result is a times the result so far, plus b times that of `with`, plus `bias`."
    )
    bias: Bias | None = Field(
        None, description="Added to the sums, in units of 0 to 255: one number, or one for each channel."
    )

    def looks_back(self) -> int:
        named: Literal["input"] | int = getattr(self, "with")
        return INPUT if named == "input" else named

    def compose(self, shape: Shape) -> tuple[BlendStep]:
        return (BlendStep(shape.channels, self.looks_back(), self.weights, biases(self.bias, shape.channels)),)

    def resolution(self, shape: Shape) -> dict[str, Any]:
        return {"bias": biases(self.bias, shape.channels)}
