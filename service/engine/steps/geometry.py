"""Size arithmetic per axis, in Python integers: nothing here can overflow or allocate.

Formulas: V. Dumoulin and F. Visin, "A guide to convolution arithmetic for deep learning", arXiv:1603.07285, and the
definitions of `torch.nn.functional.conv2d` and `conv_transpose2d`.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Pair = tuple[int, int]
"""(vertical, horizontal)."""

PaddingMode = Literal["zeros", "constant", "replicate", "reflect", "symmetric", "circular"]


class Shape(NamedTuple):
    """The shape of an image in memory: (H, W, C)."""

    height: int
    width: int
    channels: int

    @property
    def pixels(self) -> int:
        return self.height * self.width

    @property
    def samples(self) -> int:
        return self.height * self.width * self.channels


class Padding(NamedTuple):
    """Samples added (by a convolution) or cropped (by a transposed one) at each side."""

    top: int = 0
    bottom: int = 0
    left: int = 0
    right: int = 0

    @property
    def vertical(self) -> Pair:
        return self.top, self.bottom

    @property
    def horizontal(self) -> Pair:
        return self.left, self.right


NO_PADDING = Padding()


def field_of_view(kernel: int, dilation: int) -> int:
    """Count the samples from the first to the last one that a dilated kernel touches."""
    return dilation * (kernel - 1) + 1


def conv_size(size: int, kernel: int, stride: int, dilation: int, padding: Pair) -> int:
    """Count the output samples of a convolution; less than 1 if the kernel does not fit."""
    return (size + sum(padding) - field_of_view(kernel, dilation)) // stride + 1


def transposed_size(size: int, kernel: int, stride: int, dilation: int, padding: Pair, output_padding: int) -> int:
    """Count the output samples of a transposed convolution, `padding` cropped (relationship 14 of the guide)."""
    return (size - 1) * stride - sum(padding) + field_of_view(kernel, dilation) + output_padding


def same_padding(size: int, kernel: int, stride: int, dilation: int, *, lower: bool = False) -> Pair:
    """Pad so that `ceil(size / stride)` samples come out; an odd one goes to the end, or with `lower` to the start."""
    outputs = -(-size // stride)
    total = max(0, (outputs - 1) * stride + field_of_view(kernel, dilation) - size)
    small, large = total // 2, total - total // 2
    return (large, small) if lower else (small, large)


def full_padding(kernel: int, dilation: int) -> Pair:
    """Pad so that the output covers every position where the kernel touches a sample."""
    reach = field_of_view(kernel, dilation) - 1
    return reach, reach


def phases(kernel: int, stride: int, dilation: int) -> list[list[int]]:
    """Sort the taps of a transposed kernel by the outputs they fall on: tap k into phase k * dilation % stride."""
    taps: list[list[int]] = [[] for _ in range(stride)]
    for tap in range(kernel):
        taps[tap * dilation % stride].append(tap)
    return taps
