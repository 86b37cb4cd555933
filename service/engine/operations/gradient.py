"""Slopes of an image, and how steep it is."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from service.engine.operations.base import OperationBase, only_with
from service.engine.operations.fields import RimMode
from service.engine.operations.illustration import Illustration
from service.engine.spec.numbers import read_only
from service.engine.steps import Conv2d, GradientMagnitude, Weights
from service.engine.steps.geometry import Padding, Shape

DIFFERENCE = read_only(np.array([-1.0, 0.0, 1.0]))
SMOOTHING = {
    "sobel": read_only(np.array([1.0, 2.0, 1.0])),
    "scharr": read_only(np.array([3.0, 10.0, 3.0])),
    "prewitt": read_only(np.array([1.0, 1.0, 1.0])),
}


class Gradient(OperationBase):
    summary: ClassVar = "The slope along x or y, or its magnitude, by Sobel, Scharr or Prewitt; keeps the size."
    examples: ClassVar = (
        {"op": "gradient", "operator": "sobel"},
        {"op": "gradient", "operator": "scharr", "direction": "x", "padding_mode": "replicate"},
        {"op": "gradient", "operator": "prewitt", "direction": "magnitude", "norm": "l1"},
    )
    notes: ClassVar = (
        "The difference of the two neighbours along one axis, smoothed along the other. Slopes are signed: a PNG shows "
        'negative slopes as 0 unless you ask for `"output": {"range": "center"}` or `"abs"`. The magnitude is never '
        "negative."
    )
    illustration: ClassVar = Illustration({"op": "gradient", "direction": "x"}, sums=True, heading="Gradient along x")
    also_called: ClassVar = ("edge", "edges", "edge_detect")

    op: Literal["gradient"]
    operator: Literal["sobel", "scharr", "prewitt"] = Field(
        "sobel", description="Differences -1 0 1 along one axis, smoothed along the other by 1 2 1, 3 10 3 or 1 1 1."
    )
    direction: Literal["magnitude", "x", "y"] = Field(
        "magnitude", description="The magnitude of the slope, or the signed slope to the right (x) or downwards (y)."
    )
    norm: Literal["l2", "l1"] | None = Field(
        None,
        description="For the magnitude: sqrt(x^2 + y^2) (l2, the default) or |x| + |y| (l1).",
        json_schema_extra=only_with("direction", "magnitude"),
    )
    padding_mode: RimMode = Field("reflect", description="Values of the samples beyond the border.")

    def compose(self, shape: Shape) -> tuple[Conv2d | GradientMagnitude]:
        smooth = SMOOTHING[self.operator]
        if self.direction == "x":
            return (self._slope(shape, smooth, DIFFERENCE),)
        if self.direction == "y":
            return (self._slope(shape, DIFFERENCE, smooth),)
        x, y = self._slope(shape, smooth, DIFFERENCE), self._slope(shape, DIFFERENCE, smooth)
        return (GradientMagnitude(x, y, self.norm or "l2"),)

    def resolution(self, shape: Shape) -> dict[str, object]:  # noqa: ARG002 -- the same for all operations
        return {"norm": self.norm or "l2"} if self.direction == "magnitude" else {}

    def _slope(self, shape: Shape, column: Weights, row: Weights) -> Conv2d:
        return Conv2d(
            weight=read_only(np.multiply.outer(column, row)[None, None]),
            groups=shape.channels,
            padding=Padding(1, 1, 1, 1),
            padding_mode=self.padding_mode,
            factors=(column, row),
        )
