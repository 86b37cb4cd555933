"""A depthwise convolution followed by a pointwise one."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from service.engine.errors import InvalidSpec
from service.engine.operations.base import Windowed, as_depthwise
from service.engine.operations.illustration import Illustration
from service.engine.spec.numbers import KernelList, Matrix, is_unknown, unknown_numbers
from service.engine.steps import Conv2d
from service.engine.steps.geometry import Shape

_BLUR = [[1, 2, 1], [2, 4, 2], [1, 2, 1]]


class DepthwiseSeparable(Windowed):
    summary: ClassVar = "A kernel for each channel, then a 1x1 convolution that mixes channels."
    examples: ClassVar = (
        {
            "op": "depthwise_separable",
            "depthwise": [_BLUR, _BLUR, _BLUR],
            "divisor": "sum",
            "padding": "same",
            "pointwise": [[0.8, 0.2, 0], [0.1, 0.8, 0.1], [0, 0.2, 0.8]],
        },
        {
            "op": "depthwise_separable",
            "depthwise": ["sobel_x", "sobel_x", "sobel_x"],
            "padding": 1,
            "padding_mode": "replicate",
            "stride": 2,
            "pointwise": [[0.299, 0.587, 0.114]],
            "bias": 128,
        },
    )
    notes: ClassVar = (
        "First each channel is convolved with its own kernel, then the channels of each pixel are mixed. From 16 to "
        "32 channels with 3x3 kernels that takes 144 + 512 = 656 parameters; the standard layer has 4608."
    )
    illustration: ClassVar = Illustration(
        {"op": "depthwise_separable", "depthwise": {"shape": [3, 3, 3]}, "pointwise": {"shape": [8, 3]}},
        channels=3,
        heading="The first step: depthwise",
    )
    also_called: ClassVar = ("separableconv2d",)

    op: Literal["depthwise_separable"]
    depthwise: KernelList = Field(
        description=(
            "C x multiplier kernels of equal size, each as rows of numbers or as a named kernel. Stride, padding, "
            "dilation, mode and divisor apply to this step; its outputs are ordered as in depthwise."
        )
    )
    pointwise: Matrix = Field(
        description="Numbers (out, C x multiplier) that mix the channels of each pixel; bias is added afterwards."
    )

    def compose(self, shape: Shape) -> tuple[Conv2d, Conv2d]:
        weight, divisor = self.divided(as_depthwise(self.depthwise, shape.channels, "depthwise"))
        outputs, inputs = self.pointwise.shape
        if inputs != len(weight):
            raise InvalidSpec(f"pointwise has rows of {inputs} numbers, but depthwise gives {len(weight)} channels").at(
                "/pointwise"
            )
        unknown = is_unknown(self.pointwise)
        mixing = unknown_numbers(outputs, inputs, 1, 1) if unknown else self.pointwise[:, :, None, None]
        return (
            self.conv2d(shape, weight, shape.channels, divisor=divisor),
            Conv2d(mixing, bias=self.biases(outputs)),
        )

    def resolution(self, shape: Shape) -> dict[str, object]:
        depthwise, pointwise = self.compose(shape)
        weight, _ = self.divided(as_depthwise(self.depthwise, shape.channels, "depthwise"))
        return self.window_resolution(shape, depthwise) | {"depthwise": weight[:, 0], "bias": pointwise.bias}
