"""Enlarging by a whole factor: a transposed convolution whose border does not darken."""

from __future__ import annotations

from functools import partial
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from service.engine.operations.base import OperationBase
from service.engine.operations.illustration import Illustration
from service.engine.spec.numbers import read_only
from service.engine.spec.whole_numbers import Whole
from service.engine.steps import ConvTranspose2d, Weights
from service.engine.steps.geometry import Padding, Shape
from service.engine.steps.taps import cubic, interpolation_taps, triangle, whole

SHARPNESS = -0.75
"""The parameter a of cubic convolution in torch and OpenCV."""


class Upscale(OperationBase):
    summary: ClassVar = "Enlarge by a whole factor; equals torch interpolate(align_corners=False), edges included."
    examples: ClassVar = (
        {"op": "upscale", "factor": 2, "method": "bilinear"},
        {"op": "upscale", "factor": 3, "method": "bicubic"},
        {"op": "upscale", "method": "nearest"},
    )
    notes: ClassVar = (
        "A transposed convolution whose kernel covers each output evenly, so there is neither a checkerboard nor a "
        "dark border. Each channel is enlarged separately."
    )
    illustration: ClassVar = Illustration(
        {"op": "upscale"}, side=3, reading="scatter", heading="Upscale: a transposed convolution"
    )
    also_called: ClassVar = ("upsample", "upsampling2d", "pyrup", "enlarge")

    op: Literal["upscale"]
    factor: Whole = Field(2, ge=2, le=8, description="How many times wider and taller the image becomes: 2 to 8.")
    method: Literal["nearest", "bilinear", "bicubic"] = Field(
        "nearest",
        description="Repeat samples (nearest), or interpolate between 2x2 (bilinear) or 4x4 (bicubic, a = -0.75).",
    )

    def compose(self, shape: Shape) -> tuple[ConvTranspose2d]:
        """Sample the interpolating function around one input sample; the rim is repeated as far as the taps reach.

        The taps are centred on the factor x factor outputs that belong to their sample, so they reach (taps - factor) /
        2 outputs beyond; these and the outputs of the repeated rim are cropped.
        """
        taps, over, reach = self._taps()
        crop = (len(taps) - self.factor) // 2 + reach * self.factor
        kernel = read_only(np.multiply.outer(taps, taps)[None, None])
        return (
            ConvTranspose2d(
                weight=kernel,
                groups=shape.channels,
                stride=(self.factor, self.factor),
                padding=Padding(crop, crop, crop, crop),
                replicate=(reach, reach),
                divisor=float(over * over),
            ),
        )

    def _taps(self) -> tuple[Weights, int, int]:
        """Return the integer taps along one axis, their divisor, and how many samples of the rim are repeated.

        Distances are multiples of 1 / factor, or of half of that if `factor` is even. The finest part of a tap of cubic
        convolution is the cube of such a distance, times the 3/4 of its parameter.
        """
        if self.method == "nearest":
            return np.ones(self.factor), 1, 0
        finest = self.factor * (2 - self.factor % 2)
        if self.method == "bilinear":
            return *whole(interpolation_taps(self.factor, triangle, reach=1), finest), 1
        return *whole(interpolation_taps(self.factor, partial(cubic, sharpness=SHARPNESS), reach=2), 4 * finest**3), 2
