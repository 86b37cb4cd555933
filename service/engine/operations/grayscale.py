"""Colour to gray."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from service.engine.errors import InvalidSpec
from service.engine.operations.base import OperationBase
from service.engine.operations.illustration import Illustration
from service.engine.spec.numbers import LARGEST, array, is_unknown, read_only, unknown_numbers
from service.engine.spec.validation import Checked, Context
from service.engine.spec.vocabulary import unknown_value
from service.engine.spec.wording import shown
from service.engine.steps import Conv2d, Weights
from service.engine.steps.geometry import Shape

STANDARDS: dict[str, tuple[list[float], float]] = {
    "bt601": ([299, 587, 114], 1000),
    "bt709": ([2126, 7152, 722], 10_000),
}
"""The weights of red, green and blue, and their divisor: as integers they keep 8-bit pictures exact."""


def weights(value: object, context: Context) -> Literal["bt601", "bt709"] | Weights:
    """Read the name of a standard or three numbers."""
    if value == "bt601":
        return "bt601"
    if value == "bt709":
        return "bt709"
    what = '"bt601", "bt709" or a list of three numbers'
    if isinstance(value, str):
        raise InvalidSpec(f"must be {what}; {unknown_value('weights', value, STANDARDS)}")
    if not isinstance(value, list | dict):
        raise InvalidSpec(f"must be {what}, was {shown(value)}")
    numbers = array(value, 1, context)
    if len(numbers) != 3:
        raise InvalidSpec(f"must be {what}, was a list of {len(numbers)}")
    return numbers


_NUMBERS = {
    "type": "array",
    "items": {"type": "number", "minimum": -LARGEST, "maximum": LARGEST},
    "minItems": 3,
    "maxItems": 3,
}
GrayWeights = Annotated[
    Literal["bt601", "bt709"] | Weights,
    Checked(weights, {"anyOf": [{"type": "string", "enum": list(STANDARDS)}, _NUMBERS]}),
]


class Grayscale(OperationBase):
    summary: ClassVar = "A weighted sum of red, green and blue; keeps alpha, and leaves a gray image as it is."
    examples: ClassVar = (
        {"op": "grayscale"},
        {"op": "grayscale", "weights": "bt709"},
        {"op": "grayscale", "weights": [0.25, 0.5, 0.25]},
    )
    notes: ClassVar = (
        "A pointwise convolution: the window is one pixel, and the weight, (1, 3, 1, 1), has one number each for "
        "red, green and blue."
    )
    illustration: ClassVar = Illustration(
        {"op": "grayscale", "weights": [0.25, 0.5, 0.25]},
        side=4,
        channels=3,
        heading="Grayscale: a pointwise convolution",
    )
    also_called: ClassVar = ("gray", "grey", "greyscale", "luma", "luminance", "rgb2gray", "cvtcolor")

    op: Literal["grayscale"]
    weights: GrayWeights = Field(
        "bt601",
        description=(
            "Weights of red, green and blue: bt601 is 0.299, 0.587, 0.114; bt709 is 0.2126, 0.7152, 0.0722; or three "
            "numbers. An image with one channel is gray already, and no weights are applied to it."
        ),
    )

    def compose(self, shape: Shape) -> tuple[Conv2d]:
        if shape.channels == 1:
            return (Conv2d(read_only(np.ones((1, 1, 1, 1)))),)
        if shape.channels != 3:
            raise InvalidSpec(
                f"grayscale needs 3 colour channels, or 1 that is gray already; there are {shape.channels}"
            ).at("/op")
        if not isinstance(self.weights, str):
            unknown = is_unknown(self.weights)
            return (Conv2d(unknown_numbers(1, 3, 1, 1) if unknown else self.weights.reshape(1, 3, 1, 1)),)
        numbers, divisor = STANDARDS[self.weights]
        return (Conv2d(read_only(np.array(numbers, dtype=np.float64).reshape(1, 3, 1, 1)), divisor=divisor),)

    def resolution(self, shape: Shape) -> dict[str, object]:  # noqa: ARG002 -- the same for all operations
        if not isinstance(self.weights, str):
            return {}
        numbers, divisor = STANDARDS[self.weights]
        return {"weights": tuple(number / divisor for number in numbers)}
