"""The convolution that ignores everything beyond the image's rim."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from service.engine.steps.centres import Centres
from service.engine.steps.conv2d import Conv2d
from service.engine.steps.geometry import Pair, Shape
from service.engine.steps.reach import Reach
from service.engine.steps.weights import Weights


@dataclass(frozen=True, eq=False)
class NormalizedConv2d:
    """Correlate, and divide each sum by the sum of the weights whose samples lie within the image.

    Normalized convolution with a certainty of 1 within the image and 0 beyond (H. Knutsson, C.-F. Westin, 1993). `conv`
    pads with zeros, has factors, no dilation and no bias, and its divisor is the sum of its weights: it is right
    wherever the window lies within the image. The middle `stride` taps of each window always do.
    """

    conv: Conv2d

    bias: ClassVar[None] = None
    bias_parameters: ClassVar[int] = 0
    sums_to_zero: ClassVar[bool] = False

    @property
    def in_channels(self) -> int:
        return self.conv.in_channels

    @property
    def out_channels(self) -> int:
        return self.conv.out_channels

    @property
    def parameters(self) -> int:
        return self.conv.parameters

    @property
    def stride(self) -> Pair:
        return self.conv.stride

    @property
    def factors(self) -> tuple[Weights, Weights]:
        """Return (column, row)."""
        if self.conv.factors is None:
            raise TypeError("a normalized convolution needs factors")
        return self.conv.factors

    @property
    def field_of_view(self) -> Pair:
        return self.conv.field_of_view

    @property
    def reach(self) -> Reach:
        """A cut window may weigh more than a whole one, if a negative tap is cut off."""
        gain = largest = 1.0
        for taps, stride in zip(self.factors, self.stride, strict=True):
            cut = np.arange((len(taps) - stride) // 2 + 1)
            sums, sizes = (window_sums(numbers, cut[:, None], len(taps) - cut) for numbers in (taps, np.abs(taps)))
            gain, largest = gain * float((sizes / sums).max()), largest * float(sums.max())
        return replace(self.conv.reach, gain=gain, divisor=largest, uneven=True)

    def output(self, shape: Shape) -> Shape:
        return self.conv.output(shape)

    def macs(self, shape: Shape) -> int:
        return self.conv.macs(shape)

    def centres(self, shape: Shape) -> Centres:
        return self.conv.centres(shape)

    def scaled(self, unit: float) -> NormalizedConv2d:
        return replace(self, conv=self.conv.scaled(unit))

    def on_alpha(self, opaque: float) -> NormalizedConv2d:  # noqa: ARG002 -- one interface
        return replace(self, conv=replace(self.conv, groups=1))

    def divisors(self, shape: Shape) -> tuple[Weights, Weights]:
        """Sum the taps that lie within the image, for each output row and each output column.

        The divisor of an output is the product of the two.
        """

        def axis(taps: Weights, size: int, outputs: int, stride: int, begin: int) -> Weights:
            start = np.arange(outputs) * stride - begin
            return window_sums(taps, np.clip(-start, 0, len(taps)), np.clip(size - start, 0, len(taps)))

        (column, row), out, padding = self.factors, self.output(shape), self.conv.padding
        return (
            axis(column, shape.height, out.height, self.stride[0], padding.top),
            axis(row, shape.width, out.width, self.stride[1], padding.left),
        )


def window_sums(taps: Weights, begin: NDArray[np.intp], end: NDArray[np.intp]) -> Weights:
    """Sum the taps from `begin` to `end`; the sums of integers are exact."""
    sums = np.concatenate([[0.0], np.cumsum(taps)])
    return np.asarray(sums[end] - sums[begin])
