"""What is computed: a handful of kinds, to which all operations come down.

A step knows its shape arithmetic, its cost, and how far its numbers reach; it touches no pixel. Kernels stand as they
are applied, as correlations: an operation that means a convolution has turned them before. Pairs are (vertical,
horizontal). A weight of unknown numbers (a client may plan with shapes alone) is an array of NaN.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil, hypot, log2, nan, prod
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from service.engine.errors import InvalidSpec
from service.engine.steps.binary import binary_places
from service.engine.steps.geometry import (
    Padding,
    PaddingMode,
    Pair,
    Shape,
    conv_size,
    field_of_view,
    phases,
    transposed_size,
)

Weights = NDArray[np.float64]
NO_PADDING = Padding()
INPUT = -1
"""What stands for the input where the results of steps are counted from 0."""
Centres = tuple[NDArray[np.intp], NDArray[np.intp]]
"""For each output row, and each output column, the input row or column nearest to the middle of its window."""


@dataclass(frozen=True)
class Reach:
    """How far the numbers of a step may go: |y| <= gain |x| + offset, each a sum of at most `terms` products.

    Beyond the rim of the image no sample is larger than `rim`. `integral` says that integer samples give integer
    sums, before the division by `divisor`; `rounds`, that a root follows, which is not exact; `uneven`, that other sums
    are divided by less. `rim_places` and `offset_places` are the binary places behind the point of what stands beyond
    the rim and of what is added to the sums; None where these are no multiples of a power of two.
    """

    gain: float
    terms: int
    integral: bool
    divisor: float = 1.0
    offset: float = 0.0
    rim: float = 0.0
    rounds: bool = False
    uneven: bool = False
    rim_places: int | None = 0
    offset_places: int | None = 0


@dataclass(frozen=True, eq=False)
class Conv2d:
    """Correlate: y[o, v, h] = (sum of weight[o, i, p, q] x[g(o) + i, v s + p d, h s + q d]) / divisor + bias[o].

    `weight` is (out, in / groups, kH, kW); (1, 1, kH, kW) with several groups is one kernel shared by all channels.
    `factors` (column, row) are given where the kernel is shared, is their outer product, and is meant to be computed
    and counted as two passes. `bias` is (out,).
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
        """Whether each channel is filtered by itself, all with the kernel `weight[0, 0]`."""
        return self.weight.shape[:2] == (1, 1)

    @property
    def kernel_size(self) -> Pair:
        return _last_two(self.weight)

    @property
    def in_channels(self) -> int:
        return self.groups * _second(self.weight)

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
        return _field_of_view(self.kernel_size, self.dilation)

    @property
    def sums_to_zero(self) -> bool:
        return _is_zero_sum(self.weight)

    @property
    def reach(self) -> Reach:
        if _unknown(self.weight):
            return Reach(nan, prod(self.weight.shape[1:]), integral=False)
        return Reach(
            gain=float(np.abs(self.weight).sum(axis=(1, 2, 3)).max()) / abs(self.divisor),
            terms=prod(self.weight.shape[1:]),
            integral=_is_integral(self.weight),
            divisor=self.divisor,
            offset=_largest(self.bias),
            rim=abs(self.padding_value),
            rim_places=binary_places(np.array(self.padding_value)),
            offset_places=_places(self.bias),
        )

    def output(self, shape: Shape) -> Shape:
        """Give the shape that comes of `shape`; raises InvalidSpec where the kernel does not fit."""
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
            raise InvalidSpec(
                f"the output would be {width}x{height}: a window of {_wide(self.field_of_view)} does not fit into "
                f"{shape.width + sum(self.padding.horizontal)}x{shape.height + sum(self.padding.vertical)} "
                f"(the image of {shape.width}x{shape.height} with its padding)"
            )
        return Shape(height, width, self.out_channels)

    def macs(self, shape: Shape) -> int:
        taps = sum(self.kernel_size) if self.factors else self.kernel_size[0] * self.kernel_size[1]
        return self.output(shape).samples * _second(self.weight) * taps

    def centres(self, shape: Shape) -> Centres:
        return _window_centres(shape, self.output(shape), self.field_of_view, self.stride, self.padding)

    def scaled(self, unit: float) -> Conv2d:
        """Give the same step for samples that count `unit` times as much."""
        bias = None if self.bias is None else self.bias * unit
        return replace(self, bias=bias, padding_value=self.padding_value * unit)

    def on_alpha(self, opaque: float) -> Conv2d:
        """Give the step that filters alpha where colour is weighted by it: the mean kernel, normalised to gain 1.

        Outside the image there is nothing ("zeros": alpha 0), or a colour ("constant": alpha `opaque`).
        """
        kernel = self.weight.sum(axis=(0, 1), keepdims=True)
        kernels = 1 if self.shared else self.out_channels
        outside = opaque if self.padding_mode == "constant" else 0.0
        divisor = self.divisor * kernels if self.sums_to_zero else float(kernel.sum())
        return replace(self, weight=kernel, groups=1, bias=None, divisor=divisor, padding_value=outside, factors=None)


@dataclass(frozen=True, eq=False)
class ConvTranspose2d:
    """Scatter: y[o, v s + p d - padding, ...] += x[i, v, ...] weight[i, o, p, q], then / divisor + bias[o].

    `weight` is (in, out / groups, kH, kW); (1, 1, kH, kW) with several groups is one kernel shared by all channels.
    `padding` is cropped from the output. `replicate` rows and columns of the rim are repeated at each side of the input
    beforehand (the crop that this calls for is part of `padding`).
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
        """Whether each channel is scattered by itself, all with the kernel `weight[0, 0]`."""
        return self.weight.shape[:2] == (1, 1)

    @property
    def kernel_size(self) -> Pair:
        return _last_two(self.weight)

    @property
    def in_channels(self) -> int:
        return self.groups if self.shared else len(self.weight)

    @property
    def out_channels(self) -> int:
        return self.groups * _second(self.weight)

    @property
    def parameters(self) -> int:
        return prod(self.weight.shape)

    @property
    def bias_parameters(self) -> int:
        return 0 if self.bias is None else prod(self.bias.shape)

    @property
    def field_of_view(self) -> Pair:
        return _field_of_view(self.kernel_size, self.dilation)

    @property
    def sums_to_zero(self) -> bool:
        return _is_zero_sum(self.weight)

    @property
    def reach(self) -> Reach:
        per_group = self.in_channels // self.groups
        if _unknown(self.weight):
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
            integral=_is_integral(self.weight),
            divisor=self.divisor,
            offset=_largest(self.bias),
            offset_places=_places(self.bias),
        )

    def output(self, shape: Shape) -> Shape:
        """Give the shape that comes of `shape`; raises InvalidSpec where nothing is left of it."""
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
                f"{self.stride} by a kernel of {_wide(self.field_of_view)}, cropped by {tuple(self.padding)}"
            )
        return Shape(height, width, self.out_channels)

    def macs(self, shape: Shape) -> int:
        return shape.samples * _second(self.weight) * self.kernel_size[0] * self.kernel_size[1]

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
        """Give the same step for samples that count `unit` times as much."""
        return self if self.bias is None else replace(self, bias=self.bias * unit)

    def on_alpha(self, opaque: float) -> ConvTranspose2d:  # noqa: ARG002 -- one interface
        """Give the step that scatters alpha where colour is weighted by it: the mean kernel, normalised to gain 1."""
        kernel = self.weight.sum(axis=(0, 1), keepdims=True)
        kernels = 1 if self.shared else self.out_channels
        gain = self.divisor * kernels if self.sums_to_zero else float(kernel.sum()) / (self.stride[0] * self.stride[1])
        return replace(self, weight=kernel, groups=1, bias=None, divisor=gain)


@dataclass(frozen=True, eq=False)
class NormalizedConv2d:
    """Correlate, and divide each sum by that of the weights whose samples lie within the image.

    Normalized convolution with a certainty of 1 within the image and 0 beyond (H. Knutsson, C.-F. Westin, 1993).
    `conv` pads with zeros, has factors, no dilation and no bias, and its divisor is the sum of its weights: it is right
    wherever the window lies within the image. Of each window the middle `stride` taps always do.
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
        """Give (column, row)."""
        if self.conv.factors is None:
            raise TypeError("a normalized convolution needs factors")
        return self.conv.factors

    @property
    def field_of_view(self) -> Pair:
        return self.conv.field_of_view

    @property
    def reach(self) -> Reach:
        """A cut window may weigh more than a whole one, where a tap that is cut off is negative."""
        gain = largest = 1.0
        for taps, stride in zip(self.factors, self.stride, strict=True):
            cut = np.arange((len(taps) - stride) // 2 + 1)
            sums, sizes = (_window_sums(numbers, cut[:, None], len(taps) - cut) for numbers in (taps, np.abs(taps)))
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
        """Give for each output row, and for each output column, the sum of the taps that lie within the image.

        The divisor of an output is the product of the two.
        """

        def axis(taps: Weights, size: int, outputs: int, stride: int, begin: int) -> Weights:
            start = np.arange(outputs) * stride - begin
            return _window_sums(taps, np.clip(-start, 0, len(taps)), np.clip(size - start, 0, len(taps)))

        (column, row), out, padding = self.factors, self.output(shape), self.conv.padding
        return (
            axis(column, shape.height, out.height, self.stride[0], padding.top),
            axis(row, shape.width, out.width, self.stride[1], padding.left),
        )


@dataclass(frozen=True, eq=False)
class GradientMagnitude:
    """The steepness: sqrt(x^2 + y^2) ("l2") or |x| + |y| ("l1") of two shared convolutions of one geometry."""

    x: Conv2d
    y: Conv2d
    norm: Literal["l2", "l1"] = "l2"

    bias: ClassVar[None] = None
    bias_parameters: ClassVar[int] = 0
    sums_to_zero: ClassVar[bool] = True

    @property
    def in_channels(self) -> int:
        return self.x.in_channels

    @property
    def out_channels(self) -> int:
        return self.x.out_channels

    @property
    def parameters(self) -> int:
        return self.x.parameters + self.y.parameters

    @property
    def field_of_view(self) -> Pair:
        return self.x.field_of_view

    @property
    def reach(self) -> Reach:
        x, y = self.x.reach, self.y.reach
        gain = hypot(x.gain, y.gain) if self.norm == "l2" else x.gain + y.gain
        return Reach(gain, max(x.terms, y.terms), x.integral and y.integral, rounds=self.norm == "l2")

    def output(self, shape: Shape) -> Shape:
        return self.x.output(shape)

    def macs(self, shape: Shape) -> int:
        return self.x.macs(shape) + self.y.macs(shape)

    def centres(self, shape: Shape) -> Centres:
        return self.x.centres(shape)

    def scaled(self, unit: float) -> GradientMagnitude:
        return replace(self, x=self.x.scaled(unit), y=self.y.scaled(unit))

    def on_alpha(self, opaque: float) -> GradientMagnitude:  # noqa: ARG002 -- one interface
        return replace(self, x=replace(self.x, groups=1), y=replace(self.y, groups=1))


@dataclass(frozen=True, eq=False)
class Pool:
    """Take the largest or the mean sample of each window; `torch.nn.functional.max_pool2d`, `avg_pool2d`.

    The mean divides by the whole window, its padding (zeros) included; the largest never comes from the padding.
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
        return _field_of_view(self.size, self.dilation)

    @property
    def reach(self) -> Reach:
        terms = self.size[0] * self.size[1]
        return Reach(1.0, terms, integral=True, divisor=1.0 if self.method == "max" else float(terms))

    def output(self, shape: Shape) -> Shape:
        return self.window().output(shape)

    def macs(self, shape: Shape) -> int:
        """Count the samples looked at: comparisons or additions."""
        return self.output(shape).samples * self.size[0] * self.size[1]

    def centres(self, shape: Shape) -> Centres:
        return self.window().centres(shape)

    def scaled(self, unit: float) -> Pool:  # noqa: ARG002 -- one interface: a pool has no constants
        return self

    def on_alpha(self, opaque: float) -> Pool:  # noqa: ARG002 -- one interface
        return replace(self, channels=1)

    def window(self) -> Conv2d:
        """Give the convolution that sums the samples of each window."""
        kernel = np.broadcast_to(np.float64(1), (1, 1, *self.size))
        return Conv2d(kernel, self.channels, self.stride, self.dilation, self.padding)


@dataclass(frozen=True, eq=False)
class Blend:
    """Sum two results: weights[0] x + weights[1] z + bias, where z is the result of operation `other`, or INPUT."""

    channels: int
    other: int
    weights: Weights
    bias: Weights | None = None

    parameters: ClassVar[int] = 2
    field_of_view: ClassVar[Pair] = (1, 1)

    @property
    def in_channels(self) -> int:
        return self.channels

    @property
    def out_channels(self) -> int:
        return self.channels

    @property
    def bias_parameters(self) -> int:
        return 0 if self.bias is None else prod(self.bias.shape)

    @property
    def sums_to_zero(self) -> bool:
        return _is_zero_sum(self.weights)

    @property
    def reach(self) -> Reach:
        """Bound it as if both results were as large."""
        gain = float(np.abs(self.weights).sum())
        places = _places(self.bias)
        return Reach(gain, 2, _is_integral(self.weights), offset=_largest(self.bias), offset_places=places)

    def output(self, shape: Shape) -> Shape:
        return shape

    def macs(self, shape: Shape) -> int:
        return 2 * shape.samples

    def centres(self, shape: Shape) -> Centres:
        return np.arange(shape.height), np.arange(shape.width)

    def scaled(self, unit: float) -> Blend:
        """Give the same step for samples that count `unit` times as much."""
        return self if self.bias is None else replace(self, bias=self.bias * unit)

    def on_alpha(self, opaque: float) -> Blend:  # noqa: ARG002 -- one interface
        return replace(self, channels=1, bias=None)


@dataclass(frozen=True, eq=False)
class Restore:
    """Undo a convolution with `psf`, (kH, kW) of odd sides, centred; see algorithms/restoration.py for the methods."""

    channels: int
    psf: Weights
    method: Literal["wiener", "richardson_lucy", "inverse"]
    noise_to_signal: float = 0.01
    iterations: int = 20
    padding_mode: PaddingMode = "reflect"

    bias: ClassVar[None] = None
    bias_parameters: ClassVar[int] = 0

    @property
    def in_channels(self) -> int:
        return self.channels

    @property
    def out_channels(self) -> int:
        return self.channels

    @property
    def parameters(self) -> int:
        return prod(self.psf.shape)

    @property
    def sums_to_zero(self) -> bool:
        return _is_zero_sum(self.psf)

    @property
    def field_of_view(self) -> Pair:
        return _last_two(self.psf)

    @property
    def reach(self) -> Reach:
        """A restoration amplifies without a useful bound; a large one calls for float64 throughout."""
        return Reach(1e9, prod(self.psf.shape), integral=False)

    def output(self, shape: Shape) -> Shape:
        return Shape(shape.height, shape.width, self.channels)

    def macs(self, shape: Shape) -> int:
        """Count 2.5 n log2 n multiplications for each of the Fourier transforms of the padded planes."""
        padded: int = (shape.height + 2 * self.psf.shape[0]) * (shape.width + 2 * self.psf.shape[1])
        transforms = 4 * self.iterations + 1 if self.method == "richardson_lucy" else 3
        return ceil(2.5 * transforms * self.channels * padded * log2(padded + 1))

    def centres(self, shape: Shape) -> Centres:
        return np.arange(shape.height), np.arange(shape.width)

    def scaled(self, unit: float) -> Restore:  # noqa: ARG002 -- one interface: a restoration has no constants
        return self

    def on_alpha(self, opaque: float) -> Restore:  # noqa: ARG002 -- one interface
        """Give the step that restores alpha where colour is weighted by it, normalised to gain 1.

        A psf `gain` times as large makes results that are so many times smaller, if the noise is counted alike.
        """
        total = float(self.psf.sum())
        if self.method == "richardson_lucy" or self.sums_to_zero:
            return replace(self, channels=1)
        if self.method == "inverse":
            return replace(self, channels=1, psf=self.psf / total)
        gain = total / (total * total + self.noise_to_signal)
        return replace(self, channels=1, psf=self.psf * gain, noise_to_signal=self.noise_to_signal * gain * gain)


Step = Conv2d | ConvTranspose2d | NormalizedConv2d | GradientMagnitude | Pool | Restore | Blend


def _is_integral(numbers: Weights | None) -> bool:
    return numbers is None or bool(np.all(np.rint(numbers) == numbers))


def _places(numbers: Weights | None) -> int | None:
    return 0 if numbers is None else binary_places(numbers)


def _window_sums(taps: Weights, begin: NDArray[np.intp], end: NDArray[np.intp]) -> Weights:
    """Sum the taps from `begin` to `end`; exactly where they are integers."""
    sums = np.concatenate([[0.0], np.cumsum(taps)])
    return np.asarray(sums[end] - sums[begin])


def _second(weight: Weights) -> int:
    side: int = weight.shape[1]
    return side


def _last_two(weight: Weights) -> Pair:
    height, width = weight.shape[-2:]
    return height, width


def _unknown(weight: Weights) -> bool:
    return bool(np.isnan(weight.flat[0]))


def _is_zero_sum(weight: Weights) -> bool:
    """Say whether the weights cancel; unknown ones are not taken to."""
    if _unknown(weight):
        return False
    return bool(abs(weight.sum()) <= 1e-9 * np.abs(weight).sum())


def _largest(numbers: Weights | None) -> float:
    return 0.0 if numbers is None else float(np.abs(numbers).max())


def _field_of_view(kernel: Pair, dilation: Pair) -> Pair:
    return field_of_view(kernel[0], dilation[0]), field_of_view(kernel[1], dilation[1])


def _wide(size: Pair) -> str:
    """Write a (vertical, horizontal) size as width x height, as pictures are written."""
    return f"{size[1]}x{size[0]}"


def _window_centres(shape: Shape, out: Shape, window: Pair, stride: Pair, padding: Padding) -> Centres:
    """Find the input sample beneath the middle of each window; none moves where the size stays."""

    def axis(size: int, outputs: int, window: int, stride: int, begin: int) -> NDArray[np.intp]:
        shift = 0 if outputs == size else (window - 1) // 2 - begin
        return np.clip(np.arange(outputs) * stride + shift, 0, size - 1)

    return (
        axis(shape.height, out.height, window[0], stride[0], padding.top),
        axis(shape.width, out.width, window[1], stride[1], padding.left),
    )
