"""One kernel, or several, for each channel."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from service.engine.operations.base import Windowed, as_depthwise
from service.engine.operations.illustration import Illustration
from service.engine.spec.numbers import KernelList
from service.engine.steps import Conv2d
from service.engine.steps.geometry import Shape


class Depthwise(Windowed):
    summary: ClassVar = "Convolution of each channel with its own kernel, or with several."
    examples: ClassVar = (
        {
            "op": "depthwise",
            "kernels": [
                [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]],
                [[0, 0, 0], [0, 1, 0], [0, 0, 0]],
                [[-1, -2, -1], [0, 0, 0], [1, 2, 1]],
            ],
            "padding": "same",
            "padding_mode": "reflect",
            "bias": [128, 0, 128],
        },
        {"op": "depthwise", "kernels": [{"name": "box", "size": 5}, {"name": "gaussian", "size": 5}, {"name": "disk"}]},
        {
            "op": "depthwise",
            "kernels": [[[1, 1]], [[1, 1]], [[1, 1]]],
            "divisor": "sum",
            "stride": [1, 2],
            "padding": "same_lower",
        },
    )
    notes: ClassVar = (
        "Each channel has its own kernel, and nothing is summed across channels. Three channels with 3x3 kernels have "
        "27 parameters; a standard layer from 3 to 3 channels has 81."
    )
    illustration: ClassVar = Illustration(
        {"op": "depthwise", "kernels": {"shape": [3, 3, 3]}, "padding": 1}, channels=3
    )
    also_called: ClassVar = ("depthwise_conv", "depthwise_conv2d", "depthwiseconv2d")

    op: Literal["depthwise"]
    kernels: KernelList = Field(
        description=(
            "C x multiplier kernels of equal size, each as rows of numbers or as a named kernel: output channel "
            "c x multiplier + m is input channel c convolved with kernel c x multiplier + m."
        )
    )

    def compose(self, shape: Shape) -> tuple[Conv2d]:
        weight, divisor = self.divided(as_depthwise(self.kernels, shape.channels, "kernels"))
        return (self.conv2d(shape, weight, shape.channels, divisor=divisor, bias=self.biases(len(weight))),)

    def resolution(self, shape: Shape) -> dict[str, object]:
        (step,) = self.compose(shape)
        weight, _ = self.divided(as_depthwise(self.kernels, shape.channels, "kernels"))
        return self.window_resolution(shape, step) | {"kernels": weight[:, 0]}
