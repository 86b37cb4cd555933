"""The unsharp mask."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from service.engine.errors import WorkTooLarge
from service.engine.machine.limits import Limits
from service.engine.operations.base import OperationBase
from service.engine.operations.fields import RimMode, Sigma
from service.engine.operations.illustration import Illustration
from service.engine.spec.numbers import read_only
from service.engine.steps import Conv2d
from service.engine.steps.geometry import Padding, Shape
from service.engine.steps.taps import gaussian_size, gaussian_taps


class Sharpen(OperationBase):
    summary: ClassVar = "Unsharp mask: image + amount (image - gaussian); keeps the size."
    examples: ClassVar = (
        {"op": "sharpen", "sigma": 1, "amount": 1},
        {"op": "sharpen", "sigma": 0.6, "amount": 2.5, "padding_mode": "replicate"},
    )
    notes: ClassVar = (
        "The image minus its blur is the detail, and `amount` times the detail is added to the image. This is a single "
        "convolution: its kernel is 1 + amount in the centre, minus amount times the Gaussian. The drawing shows a "
        'small fixed kernel of the same kind, `{"op": "conv", "kernel": "sharpen"}`.'
    )
    illustration: ClassVar = Illustration(
        {"op": "conv", "kernel": "sharpen", "padding": 1, "padding_mode": "reflect"},
        sums=True,
        heading="Sharpening by the kernel of that name",
    )
    also_called: ClassVar = ("unsharp", "unsharp_mask", "unsharpmask", "unsharpen")

    op: Literal["sharpen"]
    sigma: Sigma = Field(
        1.0,
        description="Standard deviation of the Gaussian in samples, from 0.01; truncated at radius int(4 sigma + 0.5).",
    )
    amount: float = Field(
        1.0, ge=0, le=1e6, allow_inf_nan=False, description="How many times the details are added; 0 changes nothing."
    )
    padding_mode: RimMode = Field("reflect", description="Values of the samples beyond the border.")

    def check(self, limits: Limits) -> None:
        side = gaussian_size(self.sigma)
        if side > limits.max_kernel_side:
            raise WorkTooLarge(
                f"sigma makes a kernel of {side}x{side}; max_kernel_side allows sides up to {limits.max_kernel_side}"
            ).at("/sigma")

    def compose(self, shape: Shape) -> tuple[Conv2d]:
        taps = gaussian_taps(self.sigma, gaussian_size(self.sigma))
        radius = len(taps) // 2
        kernel = -self.amount * np.multiply.outer(taps, taps)
        kernel[radius, radius] += 1 + self.amount
        return (
            Conv2d(
                weight=read_only(kernel[None, None]),
                groups=shape.channels,
                padding=Padding(radius, radius, radius, radius),
                padding_mode=self.padding_mode,
            ),
        )
