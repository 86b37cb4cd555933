"""Size-keeping blurs."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from service.engine.errors import InvalidSpec, WorkTooLarge
from service.engine.machine.limits import Limits
from service.engine.operations.base import OperationBase, only_with
from service.engine.operations.fields import FARTHEST, RimMode, Sigma, Size2d, Steps2d
from service.engine.operations.illustration import Illustration
from service.engine.spec.numbers import read_only
from service.engine.steps import Conv2d, Weights
from service.engine.steps.geometry import Padding, Pair, Shape, same_padding
from service.engine.steps.taps import gaussian_size, gaussian_taps


class Blur(OperationBase):
    summary: ClassVar = "Blur with a Gaussian or a box; keeps the size."
    examples: ClassVar = (
        {"op": "blur", "sigma": 2},
        {"op": "blur", "method": "box", "size": [3, 9], "padding_mode": "replicate"},
        {"op": "blur", "method": "gaussian", "sigma": 1, "dilation": 4},
    )
    notes: ClassVar = (
        "Both kinds are separable and are computed in two passes. A Gaussian with `sigma` 2 reaches 8 samples in each "
        "direction: 17x17 samples, but only 34 numbers."
    )
    illustration: ClassVar = Illustration(
        {"op": "blur", "method": "box", "size": 3}, sums=True, heading="Blur by a box"
    )
    also_called: ClassVar = ("smooth",)

    op: Literal["blur"]
    method: Literal["gaussian", "box"] = Field("gaussian", description="A Gaussian, or the mean of a rectangle.")
    sigma: Sigma | None = Field(
        None,
        description="Standard deviation of the Gaussian in samples, from 0.01; truncated at radius int(4 sigma + 0.5).",
        json_schema_extra=only_with("method", "gaussian"),
    )
    size: Size2d | None = Field(
        None,
        description="Size of the box in samples: an integer from 1, or [vertical, horizontal].",
        json_schema_extra=only_with("method", "box"),
    )
    dilation: Steps2d = Field(
        (1, 1),
        description="Samples from one tap to the next: an integer from 1, or [vertical, horizontal].",
        json_schema_extra={"default": 1},
    )
    padding_mode: RimMode = Field("reflect", description="Values of the samples beyond the border.")

    def check(self, limits: Limits) -> None:
        needed = "sigma" if self.method == "gaussian" else "size"
        if getattr(self, needed) is None:
            raise InvalidSpec(f'{needed} is missing: method "{self.method}" needs it').at(f"/{needed}")
        height, width = self._size()
        if max(height, width) > limits.max_kernel_side:
            raise WorkTooLarge(
                f"{needed} makes a kernel of {width}x{height}; "
                f"max_kernel_side allows sides up to {limits.max_kernel_side}"
            ).at(f"/{needed}")

    def compose(self, shape: Shape) -> tuple[Conv2d]:
        size = self._size()
        sides = [same_padding(*axis) for axis in zip(shape[:2], size, (1, 1), self.dilation, strict=True)]
        if (widest := max(map(max, sides))) > FARTHEST:
            raise InvalidSpec(f"dilation would need a padding of {widest} at a side; at most {FARTHEST} is allowed").at(
                "/dilation"
            )
        column, row = self._taps(size[0]), self._taps(size[1])
        return (
            Conv2d(
                weight=read_only(np.multiply.outer(column, row)[None, None]),
                groups=shape.channels,
                dilation=self.dilation,
                padding=Padding(*sides[0], *sides[1]),
                padding_mode=self.padding_mode,
                divisor=float(size[0] * size[1]) if self.method == "box" else 1.0,
                factors=(column, row),
            ),
        )

    def _size(self) -> Pair:
        return self.size or (gaussian_size(self.sigma or 0),) * 2

    def _taps(self, size: int) -> Weights:
        # the ones of a box, divided after the sum, keep 8-bit pictures exact
        return read_only(np.ones(size) if self.sigma is None else gaussian_taps(self.sigma, size))
