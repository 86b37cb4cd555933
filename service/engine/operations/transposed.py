"""Transposed convolution: each sample spreads the kernel over the output."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from service.engine.errors import InvalidSpec
from service.engine.machine.limits import Limits
from service.engine.operations.base import Kernelled, as_weight, one_of, only_with
from service.engine.operations.fields import FARTHEST, Extra2d, Margins, Size2d
from service.engine.operations.illustration import Illustration
from service.engine.spec.numbers import KernelField, Weight4d, read_only
from service.engine.spec.whole_numbers import Whole
from service.engine.steps import ConvTranspose2d, Weights
from service.engine.steps.geometry import Padding, Pair, Shape, transposed_size


class Transposed(Kernelled):
    summary: ClassVar = (
        "Transposed convolution (torch conv_transpose2d): enlarges by its stride; not the same as deconvolve."
    )
    examples: ClassVar = (
        {
            "op": "transposed",
            "kernel": [[0.25, 0.5, 0.25], [0.5, 1, 0.5], [0.25, 0.5, 0.25]],
            "stride": 2,
            "padding": 1,
            "output_padding": 1,
        },
        {"op": "transposed", "kernel": {"name": "bilinear", "factor": 3}, "stride": 3, "padding": 1},
        {
            "op": "transposed",
            "weight": [[[[0.3, 0.3], [0.3, 0.3]]], [[[0.6, 0.6], [0.6, 0.6]]], [[[0.1, 0.1], [0.1, 0.1]]]],
            "stride": [2, 2],
            "padding": {"top": 0, "bottom": 1, "left": 0, "right": 1},
            "bias": 8,
        },
    )
    notes: ClassVar = (
        "In the drawing, the kernel is multiplied by each input sample and added to the output, one stride further on "
        "for each next sample. Where these stamps overlap, they are summed. `padding` crops the border of the result. "
        "A transposed convolution restores the size from before a strided convolution, not the samples; see "
        "[why](arithmetic.md#transposed-is-not-deconvolution)."
    )
    illustration: ClassVar = Illustration(
        {"op": "transposed", "kernel": {"shape": [3, 3]}, "stride": 2}, side=3, reading="scatter"
    )
    also_called: ClassVar = (
        "upconv",
        "conv_transpose",
        "conv_transpose2d",
        "conv2d_transpose",
        "conv2dtranspose",
        "conv_transposed",
        "convtranspose",
        "convtranspose2d",
        "transpose",
        "transposed_conv",
        "transposed_convolution",
        "fractionally_strided",
    )
    alternatives: ClassVar = (("kernel",), ("weight",))

    op: Literal["transposed"]
    kernel: KernelField | None = Field(
        None, description="One 2-D kernel, applied to each channel separately: rows of numbers, or a named kernel."
    )
    weight: Weight4d | None = Field(
        None,
        description="Instead of kernel: numbers (in, out / groups, kH, kW) that mix channels.",
    )
    groups: Whole = Field(
        1,
        ge=1,
        le=FARTHEST,
        description="With weight: number of groups of channels, each mixed separately; from 1.",
        json_schema_extra=only_with("weight"),
    )
    padding: Margins = Field(
        Padding(),
        description=(
            "Rows and columns cropped from the output: an integer from 0, [vertical, horizontal], or an object of "
            "four sides."
        ),
        json_schema_extra={"default": 0},
    )
    output_padding: Extra2d | None = Field(
        None,
        description=(
            "Rows and columns added at the bottom and right of the output, each less than the larger of stride and "
            "dilation: an integer from 0, or [vertical, horizontal]; default 0."
        ),
    )
    output_size: Size2d | None = Field(
        None, description="Instead of output_padding: [height, width] of the output, in samples."
    )

    def check(self, limits: Limits) -> None:
        super().check(limits)
        if one_of(kernel=self.kernel, weight=self.weight) == "kernel" and self.groups != 1:
            raise InvalidSpec(f"groups belongs to weight; with a kernel it must be 1, was {self.groups}").at("/groups")
        if self.output_size is not None and self.output_padding is not None:
            raise InvalidSpec("give either output_size or output_padding, not both").at("/output_size")
        if self.output_padding is not None:
            for axis, extra, stride, dilation in zip(
                ("vertical", "horizontal"), self.output_padding, self.stride, self.dilation, strict=True
            ):
                if extra >= max(stride, dilation):
                    raise InvalidSpec(
                        f"output_padding must be less than the larger of stride {stride} and dilation {dilation}, "
                        f"the {axis} one is {extra}"
                    ).at("/output_padding")

    def compose(self, shape: Shape) -> tuple[ConvTranspose2d]:
        weight, groups, outputs = self._weight(shape)
        return (
            ConvTranspose2d(
                weight=self.oriented(weight),
                groups=groups,
                stride=self.stride,
                dilation=self.dilation,
                padding=self.padding,
                output_padding=self._output_padding(shape, (weight.shape[2], weight.shape[3])),
                bias=self.biases(outputs),
            ),
        )

    def resolution(self, shape: Shape) -> dict[str, object]:
        (step,) = self.compose(shape)
        return {"output_padding": step.output_padding, "output_size": None, "bias": step.bias}

    def _weight(self, shape: Shape) -> tuple[Weights, int, int]:
        """Return the weight, the groups and the number of output channels."""
        if self.kernel is not None:
            return read_only(as_weight(self.kernel.values)), shape.channels, shape.channels
        assert self.weight is not None  # noqa: S101 -- check() has seen to it
        inputs, outputs = self.weight.shape[:2]
        if inputs != shape.channels:
            raise InvalidSpec(f"weight needs {inputs} channels, but the image has {shape.channels} here").at("/weight")
        if inputs % self.groups:
            raise InvalidSpec(f"groups {self.groups} does not divide the {inputs} input channels of weight").at(
                "/groups"
            )
        return self.weight, self.groups, outputs * self.groups

    def _output_padding(self, shape: Shape, kernel: Pair) -> Pair:
        if self.output_size is None:
            return self.output_padding or (0, 0)
        crops = (self.padding.vertical, self.padding.horizontal)
        extra: list[int] = []
        for axis, wanted, size, taps, stride, dilation, crop in zip(
            ("height", "width"), self.output_size, shape[:2], kernel, self.stride, self.dilation, crops, strict=True
        ):
            smallest = transposed_size(size, taps, stride, dilation, crop, 0)
            extra.append(wanted - smallest)
            if not 0 <= extra[-1] < max(stride, dilation):
                largest = smallest + max(stride, dilation) - 1
                raise InvalidSpec(
                    f"output_size cannot have the {axis} {wanted}: from {size} samples come {smallest} to {largest}"
                ).at("/output_size")
        return extra[0], extra[1]
