"""The convolution."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import nan, prod

import numpy as np

from service.engine.errors import InvalidSpec
from service.engine.steps.binary import binary_places
from service.engine.steps.centres import Centres, window_centres
from service.engine.steps.geometry import NO_PADDING, Padding, PaddingMode, Pair, Shape, conv_size
from service.engine.steps.reach import Reach
from service.engine.steps.weights import (
    Weights,
    cancels,
    is_integral,
    is_unknown,
    largest,
    last_two_sides,
    places_of,
    second_side,
    views,
    width_by_height,
)


@dataclass(frozen=True, eq=False)
class Conv2d:
    """Correlate: y[o, v, h] = (sum of weight[o, i, p, q] x[g(o) + i, v s + p d, h s + q d]) / divisor + bias[o].

    `weight` is (out, in / groups, kH, kW); (1, 1, kH, kW) with several groups is one kernel shared by all channels.
    `factors` (column, row) are given if the kernel is shared, is their outer product, and is to be computed and counted
    as two passes. `bias` is (out,).
    """

    weight: Weights
    groups: int = 1
    stride: Pair = (1, 1)
    dilation: Pair = (1, 1)
    padding: Padding = NO_PADDING
    padding_mode: PaddingMode = "zeros"
    padding_value: float = 0.0
    divisor: float = 1.0
    bias: Weights | None = None
    factors: tuple[Weights, Weights] | None = None

    @property
    def shared(self) -> bool:
        """Whether each channel is filtered separately, all with the kernel `weight[0, 0]`."""
        return self.weight.shape[:2] == (1, 1)

    @property
    def kernel_size(self) -> Pair:
        return last_two_sides(self.weight)

    @property
    def in_channels(self) -> int:
        return self.groups * second_side(self.weight)

    @property
    def out_channels(self) -> int:
        return self.groups if self.shared else len(self.weight)

    @property
    def parameters(self) -> int:
        return sum(self.kernel_size) if self.factors else prod(self.weight.shape)

    @property
    def bias_parameters(self) -> int:
        return 0 if self.bias is None else prod(self.bias.shape)

    @property
    def field_of_view(self) -> Pair:
        return views(self.kernel_size, self.dilation)

    @property
    def sums_to_zero(self) -> bool:
        return cancels(self.weight)

    @property
    def reach(self) -> Reach:
        if is_unknown(self.weight):
            return Reach(nan, prod(self.weight.shape[1:]), integral=False)
        return Reach(
            gain=float(np.abs(self.weight).sum(axis=(1, 2, 3)).max()) / abs(self.divisor),
            terms=prod(self.weight.shape[1:]),
            integral=is_integral(self.weight),
            divisor=self.divisor,
            offset=largest(self.bias),
            rim=abs(self.padding_value),
            rim_places=binary_places(np.array(self.padding_value)),
            offset_places=places_of(self.bias),
        )

    def output(self, shape: Shape) -> Shape:
        """Return the output shape for `shape`; raises InvalidSpec if the kernel does not fit."""
        sides = zip(
            shape[:2],
            self.kernel_size,
            self.stride,
            self.dilation,
            (self.padding.vertical, self.padding.horizontal),
            strict=True,
        )
        height, width = (conv_size(*side) for side in sides)
        if min(height, width) < 1:
            window = width_by_height(self.field_of_view)
            raise InvalidSpec(
                f"the output would be {width}x{height}: a window of {window} does not fit into "
                f"{shape.width + sum(self.padding.horizontal)}x{shape.height + sum(self.padding.vertical)} "
                f"(the image of {shape.width}x{shape.height} with its padding)"
            )
        return Shape(height, width, self.out_channels)

    def macs(self, shape: Shape) -> int:
        taps = sum(self.kernel_size) if self.factors else self.kernel_size[0] * self.kernel_size[1]
        return self.output(shape).samples * second_side(self.weight) * taps

    def centres(self, shape: Shape) -> Centres:
        return window_centres(shape, self.output(shape), self.field_of_view, self.stride, self.padding)

    def scaled(self, unit: float) -> Conv2d:
        """Return the same step for samples that are `unit` times as large."""
        bias = None if self.bias is None else self.bias * unit
        return replace(self, bias=bias, padding_value=self.padding_value * unit)

    def on_alpha(self, opaque: float) -> Conv2d:
        """Return the step that filters alpha if colour is weighted by it: the mean kernel, normalised to gain 1.

        Outside the image lies nothing ("zeros": alpha 0) or a colour ("constant": alpha `opaque`).
        """
        kernel = self.weight.sum(axis=(0, 1), keepdims=True)
        kernels = 1 if self.shared else self.out_channels
        outside = opaque if self.padding_mode == "constant" else 0.0
        divisor = self.divisor * kernels if self.sums_to_zero else float(kernel.sum())
        return replace(self, weight=kernel, groups=1, bias=None, divisor=divisor, padding_value=outside, factors=None)
