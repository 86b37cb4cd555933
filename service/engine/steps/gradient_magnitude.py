"""How steep an image is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import hypot
from typing import ClassVar, Literal

from service.engine.steps.centres import Centres
from service.engine.steps.conv2d import Conv2d
from service.engine.steps.geometry import Pair, Shape
from service.engine.steps.reach import Reach


@dataclass(frozen=True, eq=False)
class GradientMagnitude:
    """The steepness: sqrt(x^2 + y^2) ("l2") or |x| + |y| ("l1") of two shared convolutions with the same geometry."""

    x: Conv2d
    y: Conv2d
    norm: Literal["l2", "l1"] = "l2"

    bias: ClassVar[None] = None
    bias_parameters: ClassVar[int] = 0
    sums_to_zero: ClassVar[bool] = True

    @property
    def in_channels(self) -> int:
        return self.x.in_channels

    @property
    def out_channels(self) -> int:
        return self.x.out_channels

    @property
    def parameters(self) -> int:
        return self.x.parameters + self.y.parameters

    @property
    def field_of_view(self) -> Pair:
        return self.x.field_of_view

    @property
    def reach(self) -> Reach:
        x, y = self.x.reach, self.y.reach
        gain = hypot(x.gain, y.gain) if self.norm == "l2" else x.gain + y.gain
        return Reach(gain, max(x.terms, y.terms), x.integral and y.integral, rounds=self.norm == "l2")

    def output(self, shape: Shape) -> Shape:
        return self.x.output(shape)

    def macs(self, shape: Shape) -> int:
        return self.x.macs(shape) + self.y.macs(shape)

    def centres(self, shape: Shape) -> Centres:
        return self.x.centres(shape)

    def scaled(self, unit: float) -> GradientMagnitude:
        return replace(self, x=self.x.scaled(unit), y=self.y.scaled(unit))

    def on_alpha(self, opaque: float) -> GradientMagnitude:  # noqa: ARG002 -- one interface
        return replace(self, x=replace(self.x, groups=1), y=replace(self.y, groups=1))
