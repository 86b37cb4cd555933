"""The standard convolution, including strided, dilated and grouped ones."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from service.engine.errors import InvalidSpec
from service.engine.machine.limits import Limits
from service.engine.operations.base import Windowed, as_weight, one_of, only_with
from service.engine.operations.fields import FARTHEST
from service.engine.operations.illustration import Illustration
from service.engine.spec.numbers import KernelField, Weight4d
from service.engine.spec.whole_numbers import Whole
from service.engine.steps import Conv2d
from service.engine.steps.geometry import Shape


class Conv(Windowed):
    summary: ClassVar = "Convolution with one kernel for every channel, or with a weight that mixes channels."
    examples: ClassVar = (
        {"op": "conv", "kernel": [[1, 2, 1], [2, 4, 2], [1, 2, 1]], "divisor": "sum", "padding": "same"},
        {"op": "conv", "kernel": "emboss", "padding": 1, "padding_mode": "reflect", "bias": 16},
        {
            "op": "conv",
            "kernel": {"name": "gaussian", "sigma": 1.5},
            "dilation": 2,
            "stride": [2, 2],
            "padding": "same",
        },
        {
            "op": "conv",
            "weight": [
                [[[0.393]], [[0.769]], [[0.189]]],
                [[[0.349]], [[0.686]], [[0.168]]],
                [[[0.272]], [[0.534]], [[0.131]]],
            ],
        },
        {
            "op": "conv",
            "weight": [[[[-1, 0, 1]]], [[[1, 2, 1]]], [[[0, 1, 0]]]],
            "groups": 3,
            "padding": {"top": 0, "bottom": 0, "left": 1, "right": 1},
            "padding_mode": "constant",
            "padding_value": 128,
        },
    )
    notes: ClassVar = (
        "In the drawing, the window slides over the input, and each position gives one sum. With a 2-D `kernel` each "
        "channel is filtered separately with the same window, which suits pictures. With a 4-D `weight` each output "
        "channel is a sum over all input channels of its group, as in a layer."
    )
    illustration: ClassVar = Illustration({"op": "conv", "kernel": [[1, 0, -1]] * 3}, sums=True)
    also_called: ClassVar = (
        "conv2d",
        "convolve",
        "convolve2d",
        "correlate",
        "correlate2d",
        "correlation",
        "filter",
        "filter2d",
        "kernel",
        "feconvolvematrix",
    )
    alternatives: ClassVar = (("kernel",), ("weight",))

    op: Literal["conv"]
    kernel: KernelField | None = Field(
        None, description="One 2-D kernel, applied to each channel separately: rows of numbers, or a named kernel."
    )
    weight: Weight4d | None = Field(
        None,
        description="Instead of kernel: numbers (out, in / groups, kH, kW) that mix channels.",
    )
    groups: Whole = Field(
        1,
        ge=1,
        le=FARTHEST,
        description="With weight: number of groups of channels, each mixed separately; from 1.",
        json_schema_extra=only_with("weight"),
    )

    def check(self, limits: Limits) -> None:  # noqa: ARG002 -- the same for all operations
        if one_of(kernel=self.kernel, weight=self.weight) == "kernel" and self.groups != 1:
            raise InvalidSpec(f"groups belongs to weight; with a kernel it must be 1, was {self.groups}").at("/groups")

    def compose(self, shape: Shape) -> tuple[Conv2d]:
        if self.kernel is not None:
            weight, divisor = self.divided(as_weight(self.kernel.numbers), self.kernel.divisor)
            return (self.conv2d(shape, weight, shape.channels, divisor=divisor, bias=self.biases(shape.channels)),)
        assert self.weight is not None  # noqa: S101 -- check() has seen to it
        outputs, inputs = self.weight.shape[:2]
        if inputs * self.groups != shape.channels:
            raise InvalidSpec(
                f"weight needs {inputs} x {self.groups} groups = {inputs * self.groups} channels, but the image has "
                f"{shape.channels} here"
            ).at("/weight")
        if outputs % self.groups:
            raise InvalidSpec(f"groups {self.groups} does not divide the {outputs} output channels of weight").at(
                "/groups"
            )
        weight, divisor = self.divided(self.weight)
        return (self.conv2d(shape, weight, self.groups, divisor=divisor, bias=self.biases(outputs)),)

    def resolution(self, shape: Shape) -> dict[str, object]:
        (step,) = self.compose(shape)
        if self.kernel is not None:
            return self.window_resolution(shape, step, self.kernel.divisor)
        assert self.weight is not None  # noqa: S101 -- check() has seen to it
        return self.window_resolution(shape, step) | {"weight": self.divided(self.weight)[0]}
