"""The transposed convolution."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import nan, prod

import numpy as np
from numpy.typing import NDArray

from service.engine.errors import InvalidSpec
from service.engine.steps.centres import Centres
from service.engine.steps.geometry import NO_PADDING, Padding, Pair, Shape, phases, transposed_size
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
class ConvTranspose2d:
    """Scatter: y[o, v s + p d - padding, ...] += x[i, v, ...] weight[i, o, p, q], then / divisor + bias[o].

    `weight` is (in, out / groups, kH, kW); (1, 1, kH, kW) with several groups is one kernel shared by all channels.
    `padding` is cropped from the output. Before, the input is extended at each side by `replicate` copies of the rim's
    rows and columns (`padding` includes the crop that these need).
    """

    weight: Weights
    groups: int = 1
    stride: Pair = (1, 1)
    dilation: Pair = (1, 1)
    padding: Padding = NO_PADDING
    output_padding: Pair = (0, 0)
    bias: Weights | None = None
    replicate: Pair = (0, 0)
    divisor: float = 1.0

    @property
    def shared(self) -> bool:
        """Whether each channel is scattered separately, all with the kernel `weight[0, 0]`."""
        return self.weight.shape[:2] == (1, 1)

    @property
    def kernel_size(self) -> Pair:
        return last_two_sides(self.weight)

    @property
    def in_channels(self) -> int:
        return self.groups if self.shared else len(self.weight)

    @property
    def out_channels(self) -> int:
        return self.groups * second_side(self.weight)

    @property
    def parameters(self) -> int:
        return prod(self.weight.shape)

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
        per_group = self.in_channels // self.groups
        if is_unknown(self.weight):
            return Reach(nan, per_group * prod(self.kernel_size), integral=False)
        size = np.abs(self.weight)
        rows = phases(self.kernel_size[0], self.stride[0], self.dilation[0])
        columns = phases(self.kernel_size[1], self.stride[1], self.dilation[1])
        by_group = size.reshape(-1, per_group, *size.shape[1:])
        gain = max(
            float(by_group[..., row, :][..., column].sum(axis=(1, 3, 4)).max()) for row in rows for column in columns
        )
        terms = per_group * max(map(len, rows)) * max(map(len, columns))
        return Reach(
            gain / abs(self.divisor),
            terms,
            integral=is_integral(self.weight),
            divisor=self.divisor,
            offset=largest(self.bias),
            offset_places=places_of(self.bias),
        )

    def output(self, shape: Shape) -> Shape:
        """Return the output shape for `shape`; raises InvalidSpec if nothing is left."""
        sides = zip(
            (shape.height + 2 * self.replicate[0], shape.width + 2 * self.replicate[1]),
            self.kernel_size,
            self.stride,
            self.dilation,
            (self.padding.vertical, self.padding.horizontal),
            self.output_padding,
            strict=True,
        )
        height, width = (transposed_size(*side) for side in sides)
        if min(height, width) < 1:
            raise InvalidSpec(
                f"the output would be {width}x{height}: an image of {shape.width}x{shape.height} scattered with stride "
                f"{self.stride} by a kernel of {width_by_height(self.field_of_view)}, cropped by {tuple(self.padding)}"
            )
        return Shape(height, width, self.out_channels)

    def macs(self, shape: Shape) -> int:
        return shape.samples * second_side(self.weight) * self.kernel_size[0] * self.kernel_size[1]

    def centres(self, shape: Shape) -> Centres:
        def axis(size: int, outputs: int, crop: int, window: int, stride: int, replicate: int) -> NDArray[np.intp]:
            doubled = 2 * (np.arange(outputs) + crop) - (window - 1)
            return np.clip((doubled + stride - 1) // (2 * stride) - replicate, 0, size - 1)

        out, view = self.output(shape), self.field_of_view
        return (
            axis(shape.height, out.height, self.padding.top, view[0], self.stride[0], self.replicate[0]),
            axis(shape.width, out.width, self.padding.left, view[1], self.stride[1], self.replicate[1]),
        )

    def scaled(self, unit: float) -> ConvTranspose2d:
        """Return the same step for samples that are `unit` times as large."""
        return self if self.bias is None else replace(self, bias=self.bias * unit)

    def on_alpha(self, opaque: float) -> ConvTranspose2d:  # noqa: ARG002 -- one interface
        """Return the step that scatters alpha if colour is weighted by it: the mean kernel, normalised to gain 1."""
        kernel = self.weight.sum(axis=(0, 1), keepdims=True)
        kernels = 1 if self.shared else self.out_channels
        gain = self.divisor * kernels if self.sums_to_zero else float(kernel.sum()) / (self.stride[0] * self.stride[1])
        return replace(self, weight=kernel, groups=1, bias=None, divisor=gain)
