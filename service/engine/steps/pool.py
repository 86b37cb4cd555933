"""The largest or the mean sample of each window."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np

from service.engine.steps.centres import Centres
from service.engine.steps.conv2d import Conv2d
from service.engine.steps.geometry import NO_PADDING, Padding, Pair, Shape
from service.engine.steps.reach import Reach
from service.engine.steps.weights import views


@dataclass(frozen=True, eq=False)
class Pool:
    """Take the largest or the mean sample of each window; `torch.nn.functional.max_pool2d`, `avg_pool2d`.

    The mean divides by the whole window, including padding (zeros); the largest never comes from the padding.
    """

    channels: int
    method: Literal["max", "average"]
    size: Pair
    stride: Pair
    padding: Padding = NO_PADDING
    dilation: Pair = (1, 1)

    bias: ClassVar[None] = None
    parameters: ClassVar[int] = 0
    bias_parameters: ClassVar[int] = 0
    sums_to_zero: ClassVar[bool] = False

    @property
    def in_channels(self) -> int:
        return self.channels

    @property
    def out_channels(self) -> int:
        return self.channels

    @property
    def field_of_view(self) -> Pair:
        return views(self.size, self.dilation)

    @property
    def reach(self) -> Reach:
        terms = self.size[0] * self.size[1]
        return Reach(1.0, terms, integral=True, divisor=1.0 if self.method == "max" else float(terms))

    def output(self, shape: Shape) -> Shape:
        return self.window().output(shape)

    def macs(self, shape: Shape) -> int:
        """Count the samples read: comparisons or additions."""
        return self.output(shape).samples * self.size[0] * self.size[1]

    def centres(self, shape: Shape) -> Centres:
        return self.window().centres(shape)

    def scaled(self, unit: float) -> Pool:  # noqa: ARG002 -- one interface: a pool has no constants
        return self

    def on_alpha(self, opaque: float) -> Pool:  # noqa: ARG002 -- one interface
        return replace(self, channels=1)

    def window(self) -> Conv2d:
        """Return the convolution that sums the samples of each window."""
        kernel = np.broadcast_to(np.float64(1), (1, 1, *self.size))
        return Conv2d(kernel, self.channels, self.stride, self.dilation, self.padding)
