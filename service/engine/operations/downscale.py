"""Reducing by a whole factor: a strided convolution whose kernel is widened by the factor, so nothing aliases."""

from __future__ import annotations

from functools import partial
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from service.engine.errors import InvalidSpec
from service.engine.operations.base import OperationBase
from service.engine.operations.illustration import Illustration
from service.engine.spec.numbers import read_only
from service.engine.spec.whole_numbers import Whole
from service.engine.steps import Conv2d, NormalizedConv2d, Weights
from service.engine.steps.geometry import Padding, Pair, Shape
from service.engine.steps.taps import cubic, interpolation_taps, lanczos3, triangle, whole

SHARPNESS = -0.5
"""The parameter a of cubic convolution in Pillow and, with antialiasing, in torch."""


class Downscale(OperationBase):
    summary: ClassVar = (
        "Reduce by a whole factor without aliasing; equals torch interpolate(antialias=True), edges included."
    )
    examples: ClassVar = (
        {"op": "downscale", "factor": 2},
        {"op": "downscale", "factor": 4, "method": "lanczos3"},
        {"op": "downscale", "factor": 3, "method": "bicubic"},
    )
    notes: ClassVar = (
        "A strided convolution whose kernel grows with the factor, so every sample of the image contributes to the "
        "result, and [no false patterns appear](arithmetic.md#stride-is-downsampling). At the border the sum is "
        "divided by the sum of the weights that lie within the image; nothing is assumed about samples beyond it. If "
        "the factor does not divide the width or height, the remainder at the right or the bottom gets no sample of "
        "its own, but wide kernels still include it. The drawing shows `area`; `lanczos3` is the sharpest method."
    )
    illustration: ClassVar = Illustration(
        {"op": "downscale", "factor": 2}, side=6, heading="Downscale by area: a convolution of stride 2"
    )
    also_called: ClassVar = ("downsample", "reduce", "shrink", "thumbnail")

    op: Literal["downscale"]
    factor: Whole = Field(
        2,
        ge=2,
        le=8,
        description="How many times narrower and shorter the image becomes, rounded down to whole samples: 2 to 8.",
    )
    method: Literal["area", "bilinear", "bicubic", "lanczos3"] = Field(
        "area",
        description=(
            "The mean of each factor x factor square (area), or weights that fall off from the centre over 2x2 "
            "(bilinear), 4x4 (bicubic, a = -0.5) or 6x6 (lanczos3) such squares."
        ),
    )

    def compose(self, shape: Shape) -> tuple[Conv2d | NormalizedConv2d]:
        """Slide the interpolating function, widened `factor` times, over the image; no weight lies beyond the rim.

        The taps are centred on the factor x factor samples that belong to their output, and reach
        (taps - factor) / 2 samples beyond.
        """
        if min(shape[:2]) < self.factor:
            raise InvalidSpec(
                f"the output would be {shape.width // self.factor}x{shape.height // self.factor}: "
                f"factor {self.factor} leaves nothing of {shape.width}x{shape.height}"
            )
        taps = self._taps()
        reach = (len(taps) - self.factor) // 2
        step = Conv2d(
            weight=read_only(np.multiply.outer(taps, taps)[None, None]),
            groups=shape.channels,
            stride=(self.factor, self.factor),
            padding=Padding(*self._margins(shape.height, reach), *self._margins(shape.width, reach)),
            divisor=float(taps.sum()) ** 2,
            factors=(taps, taps),
        )
        return (NormalizedConv2d(step) if reach else step,)

    def _margins(self, size: int, reach: int) -> Pair:
        """Count the samples that the outputs read before and after an axis; the last outputs begin a square."""
        return reach, max(0, reach - size % self.factor)

    def _taps(self) -> Weights:
        """Return the taps along one axis; fractions become integers, as `Upscale` explains."""
        finest = self.factor * (2 - self.factor % 2)
        match self.method:
            case "area":
                return read_only(np.ones(self.factor))
            case "bilinear":
                return read_only(whole(interpolation_taps(self.factor, triangle, reach=1), finest)[0])
            case "bicubic":
                taps = interpolation_taps(self.factor, partial(cubic, sharpness=SHARPNESS), reach=2)
                return read_only(whole(taps, 2 * finest**3)[0])
            case "lanczos3":
                taps = interpolation_taps(self.factor, lanczos3, reach=3)
                return read_only(taps / taps.sum())
