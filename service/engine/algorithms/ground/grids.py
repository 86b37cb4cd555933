"""The geometry of a convolution: both axes of its output, and the pieces in which it is computed."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from math import ceil
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.engine.algorithms import phases
from service.engine.algorithms.ground.windows import Padded
from service.engine.steps import Conv2d, ConvTranspose2d
from service.engine.steps.geometry import Shape, field_of_view

PIECE_BYTES = 1 << 18
"""Approximate bytes of the samples that a piece of the output reads: they stay in a second-level cache."""
ROW_BYTES = 1 << 16
"""Approximate bytes of one row of these samples."""
POSITION_BYTES = 48
"""Bytes per padded row or column while its index is made."""

Step = Conv2d | ConvTranspose2d


class Phase(NamedTuple):
    """Outputs of an axis made by the same taps, which meet the padded samples at `offsets` from the first."""

    taps: tuple[int, ...]
    offsets: tuple[int, ...]


class Axis(NamedTuple):
    """The `outputs` of an axis, in phases: phase p makes output i * write + p, from padded sample i * read on.

    A convolution has one phase and reads samples `stride` apart; a transposed one writes each of its phases `stride`
    apart. `view` counts the padded samples that one output of any phase may read.
    """

    phases: tuple[Phase, ...]
    outputs: int
    read: int
    write: int
    view: int

    @property
    def each(self) -> int:
        """Count the outputs of a phase; the last phases may have one fewer."""
        return ceil(self.outputs / self.write)

    @property
    def most_taps(self) -> int:
        return max(len(phase.taps) for phase in self.phases)

    def span(self, outputs: int) -> int:
        """Count the padded samples that `outputs` outputs of a phase read."""
        return (outputs - 1) * self.read + self.view

    def fitting(self, sample_bytes: int, most_bytes: int) -> int:
        """Count the outputs of a phase whose samples fit into `most_bytes`; a few more if the view is wide."""
        fitting = (most_bytes // sample_bytes - self.view) // self.read + 1
        return min(self.each, max(fitting, ceil(self.view / self.read)))


class Piece(NamedTuple):
    """The start of a piece of the output, and its number of rows and columns."""

    top: int
    left: int
    height: int
    width: int


class Grid(NamedTuple):
    """Both axes; `rows` and `columns` count the outputs of a phase in a piece."""

    vertical: Axis
    horizontal: Axis
    rows: int
    columns: int

    @classmethod
    def of(cls, step: Step, shape: Shape, number: str, budget: int = PIECE_BYTES) -> Grid:
        """Cut the output of `step` for `shape`; the samples of a piece are converted to the type `number`."""
        vertical, horizontal = _axes(step, shape)
        sample_bytes = shape.channels * np.dtype(number).itemsize
        columns = horizontal.fitting(sample_bytes, min(budget, ROW_BYTES))
        rows = vertical.fitting(horizontal.span(columns) * sample_bytes, budget)
        return cls(vertical, horizontal, rows, columns)

    @property
    def window(self) -> tuple[int, int]:
        """Count the padded rows and columns that a piece reads."""
        return self.vertical.span(self.rows), self.horizontal.span(self.columns)

    @property
    def number_of_pieces(self) -> int:
        return ceil(self.vertical.each / self.rows) * ceil(self.horizontal.each / self.columns)

    def pieces(self) -> Iterator[Piece]:
        height, width = self.rows * self.vertical.write, self.columns * self.horizontal.write
        tops, lefts = range(0, self.vertical.outputs, height), range(0, self.horizontal.outputs, width)
        for top, left in product(tops, lefts):
            bottom, right = min(top + height, self.vertical.outputs), min(left + width, self.horizontal.outputs)
            yield Piece(top, left, bottom - top, right - left)

    def read(self, padded: Padded, piece: Piece, out: NDArray[Any]) -> None:
        """Fill `out` (h, w, C), of the size of a window, with the samples that `piece` reads."""
        top = piece.top // self.vertical.write * self.vertical.read
        padded.window(top, piece.left // self.horizontal.write * self.horizontal.read, out)


def parts(axis: Axis, start: int, size: int) -> list[tuple[Phase, range]]:
    """Assign the `size` outputs from `start` on to their phases."""
    return [(phase, range(start + p, start + size, axis.write)) for p, phase in enumerate(axis.phases[:size])]


def as_slice(places: range) -> slice:
    return slice(places.start, places.stop, places.step)


def every(start: int, count: int, step: int) -> slice:
    """Select `count` places from `start` on, `step` apart."""
    return slice(start, start + (count - 1) * step + 1, step)


def padded(step: Step, image: NDArray[Any]) -> Padded:
    """Return `image` (H, W, C) with its surroundings."""
    if isinstance(step, Conv2d):
        return Padded.of(image, step.padding, step.padding_mode, step.padding_value)
    rows, columns = _transposed(step, Shape(*image.shape))
    return Padded(image, rows.positions().astype(np.intp), columns.positions().astype(np.intp), 0.0)


def padding_bytes(step: Step, shape: Shape) -> int:
    """Bound the bytes that `padded` takes."""
    if isinstance(step, Conv2d):
        return POSITION_BYTES * (shape.height + shape.width + sum(step.padding))
    return POSITION_BYTES * sum(axis.end - axis.begin for axis in _transposed(step, shape))


def _axes(step: Step, shape: Shape) -> tuple[Axis, Axis]:
    output = step.output(shape)
    if isinstance(step, Conv2d):
        vertical, horizontal = (
            Axis(
                (Phase(tuple(range(kernel)), tuple(range(0, kernel * dilation, dilation))),),
                outputs,
                stride,
                1,
                field_of_view(kernel, dilation),
            )
            for kernel, dilation, stride, outputs in zip(
                step.kernel_size, step.dilation, step.stride, output[:2], strict=True
            )
        )
        return vertical, horizontal
    vertical, horizontal = (
        Axis(
            tuple(Phase(phase.taps, tuple(shift - axis.begin for shift in phase.shifts)) for phase in axis.phases),
            outputs,
            1,
            stride,
            axis.end - axis.begin - axis.outputs + 1,
        )
        for axis, stride, outputs in zip(_transposed(step, shape), step.stride, output[:2], strict=True)
    )
    return vertical, horizontal


def _transposed(step: ConvTranspose2d, shape: Shape) -> tuple[phases.Axis, phases.Axis]:
    vertical, horizontal = (
        phases.Axis.of(size, outputs, kernel, stride, dilation, crop, replicate, whole=False)
        for size, outputs, kernel, stride, dilation, crop, replicate in zip(
            shape[:2],
            step.output(shape)[:2],
            step.kernel_size,
            step.stride,
            step.dilation,
            (step.padding.top, step.padding.left),
            step.replicate,
            strict=True,
        )
    )
    return vertical, horizontal
