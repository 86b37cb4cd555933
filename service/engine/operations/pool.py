"""Pooling."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from service.engine import steps
from service.engine.errors import InvalidSpec, WorkTooLarge
from service.engine.machine.limits import Limits
from service.engine.operations.base import OperationBase, only_with
from service.engine.operations.fields import Margins, Size2d, Steps2d
from service.engine.operations.illustration import Illustration
from service.engine.steps.geometry import Padding, Shape, conv_size, field_of_view


class Pool(OperationBase):
    summary: ClassVar = "The maximum or the mean of each window."
    examples: ClassVar = (
        {"op": "pool", "method": "max", "size": 2},
        {"op": "pool", "method": "average", "size": [3, 3], "stride": 1, "padding": 1},
        {"op": "pool", "method": "max", "size": 3, "stride": 2, "padding": 2, "dilation": 2},
    )
    notes: ClassVar = (
        "The window slides as in a convolution, by its own size unless `stride` says otherwise. The average is a "
        "convolution with equal weights, as drawn; the maximum has no kernel."
    )
    illustration: ClassVar = Illustration(
        {"op": "conv", "kernel": {"name": "box", "size": 2}, "stride": 2}, side=6, heading="Average pooling of 2×2"
    )
    also_called: ClassVar = ("pooling",)

    op: Literal["pool"]
    method: Literal["max", "average"] = Field(
        "max",
        description="The maximum, which ignores the padding, or the mean, which includes the zeros of the padding.",
    )
    size: Size2d = Field(description="Size of the window in samples: an integer from 1, or [vertical, horizontal].")
    stride: Steps2d | None = Field(
        None,
        description="Samples from one window to the next: an integer from 1, or [vertical, horizontal]; default size.",
    )
    padding: Margins = Field(
        Padding(),
        description=(
            "Samples added at the border, at most half the window at each side: an integer from 0, "
            "[vertical, horizontal], or an object of four sides."
        ),
        json_schema_extra={"default": 0},
    )
    dilation: Steps2d = Field(
        (1, 1),
        description='For method "max": samples from one tap to the next, an integer from 1, or [vertical, horizontal].',
        json_schema_extra={"default": 1} | only_with("method", "max"),
    )

    def check(self, limits: Limits) -> None:
        if max(self.size) > limits.max_kernel_side:
            raise WorkTooLarge(
                f"size makes a window of {self.size[1]}x{self.size[0]}; "
                f"max_kernel_side allows sides up to {limits.max_kernel_side}"
            ).at("/size")
        for window, sides in zip(self._windows(), (self.padding.vertical, self.padding.horizontal), strict=True):
            if max(sides) > window // 2:
                raise InvalidSpec(
                    f"padding must be at most half the window of {window} samples, {window // 2}; was {max(sides)}"
                ).at("/padding")

    def compose(self, shape: Shape) -> tuple[steps.Pool]:
        stride = self.stride or self.size
        if self.method == "max":
            for axis in (0, 1):
                sides = (self.padding.vertical, self.padding.horizontal)[axis]
                self._refuse_empty_windows(shape[axis], self.size[axis], stride[axis], self.dilation[axis], sides)
        return (steps.Pool(shape.channels, self.method, self.size, stride, self.padding, self.dilation),)

    def resolution(self, shape: Shape) -> dict[str, object]:  # noqa: ARG002 -- the same for all operations
        return {"stride": self.stride or self.size}

    def _windows(self) -> tuple[int, int]:
        return field_of_view(self.size[0], self.dilation[0]), field_of_view(self.size[1], self.dilation[1])

    @staticmethod
    def _refuse_empty_windows(size: int, taps: int, stride: int, dilation: int, padding: tuple[int, int]) -> None:
        """Refuse a maximum over no samples: a dilated window can step over an image smaller than its gaps.

        The padding is at most half a window, so only a window that begins before the image can miss it: when its first
        tap not before the image is already beyond it.
        """
        outputs = conv_size(size, taps, stride, dilation, padding)
        for begin in range(-padding[0], min(0, outputs * stride - padding[0]), stride):
            if begin % dilation >= size:
                raise InvalidSpec(
                    f"dilation {dilation} leaves a window without any of the {size} samples along an axis"
                ).at("/dilation")
