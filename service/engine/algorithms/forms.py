"""Lay out an ordinary convolution in strips; direct, separable and gradient differ only in the taps."""

from __future__ import annotations

from collections.abc import Iterator
from math import lcm
from typing import NamedTuple

import numpy as np

from service.engine.algorithms.base import Task
from service.engine.algorithms.rates import rates
from service.engine.algorithms.runs import Column, Number
from service.engine.algorithms.short import short_places
from service.engine.algorithms.strips import Cut, Layout, Outputs, Rim, finish, storing_seconds, weaving_seconds
from service.engine.algorithms.work import Sums, Work
from service.engine.loops.rows import Finish
from service.engine.steps import Conv2d, Weights

MOST_APART = 8
"""Most rows of output that share their lines: if they were further apart, a strip would have to hold too many lines."""


class Form(NamedTuple):
    """If interleaved, a row with all its channels counts as one plane, and a tap shifts it by whole pixels.

    Otherwise each output channel is a plane of its own, summed from planes of the input. Weights are multiplied by
    2**`places`, and the sums divided by it.
    """

    step: Conv2d
    interleaved: bool
    layout: Layout
    cut: Cut
    outputs: Outputs
    number: Number
    places: int

    @classmethod
    def of(cls, step: Conv2d, task: Task, *, short: bool = True) -> Form:
        """Lay out `step`, in 16-bit integers if these suffice and `short` allows them."""
        uniform = step.bias is None or bool(np.ptp(step.bias) == 0)
        interleaved = step.shared and uniform
        (height, width, outputs), channels = task.output, task.shape.channels
        most = float(np.abs(step.weight).sum(axis=(1, 2, 3)).max())
        places = short_places(task, step.weight, most=most, rim=step.padding_value) if short and uniform else None
        number: Number = task.arithmetic if places is None else "int16"
        padded = task.shape.width + sum(step.padding.horizontal)
        layout = Layout(channels, step.stride[1], padded, interleaved)
        planes = 1 if interleaved else outputs
        cut = _cut(step, height, layout.pitch * np.dtype(number).itemsize)
        return cls(step, interleaved, layout, cut, Outputs(planes, width * outputs // planes), number, places or 0)

    def cut_again(self, pitch: int) -> Form:
        """Cut again for rows of `pitch` numbers."""
        return self._replace(cut=_cut(self.step, self.cut.rows, pitch * np.dtype(self.number).itemsize))

    @property
    def distance(self) -> int:
        """Count the floats between the taps of one column."""
        return self.cut.spacing * self.layout.pitch

    def rim(self, task: Task) -> Rim:
        step = self.step
        return Rim.padded(
            task.shape,
            step.padding,
            step.padding_mode,
            step.padding_value,
            self.number,
            interleaved=self.interleaved,
        )

    def work(self, task: Task, sums: Sums) -> Work:
        return Work.of(task, self.rim(task), self.cut, self.layout, self.number, sums)

    def finish(self, task: Task) -> Finish:
        planes = self.outputs.planes
        bias = [0.0] * planes if self.step.bias is None else self.step.bias[:planes].tolist()
        return finish(task, self.number, [self.step.divisor] * planes, bias, places=self.places)

    def along(self, tap: int, channel: int = 0) -> int:
        """Return the offset within a row of the horizontal tap `tap`."""
        return self.layout.offset(tap * self.step.dilation[1], channel)

    def columns_of(self, kernel: Weights, channel: int = 0) -> Iterator[Column]:
        """Cut a kernel (kH, kW) for one input channel into the columns of taps that grouped rows share."""
        along = [self.along(tap, channel) for tap in range(kernel.shape[1])]
        return self.columns_at(kernel, self.layout.pitch, along)

    def columns_at(self, kernel: Weights, pitch: int, along: list[int]) -> Iterator[Column]:
        """Do the same for rows of `pitch` numbers, with the taps along a row at the offsets `along`."""
        dilation = self.step.dilation[0]
        every = self.cut.spacing // dilation if self.cut.spacing % dilation == 0 else len(kernel)
        for across, place in enumerate(along):
            for down in range(min(every, len(kernel))):
                yield Column(down * dilation * pitch + place, tuple(kernel[down::every, across].tolist()))

    def seconds(self, task: Task) -> float:
        """Predict the time of everything but the taps."""
        cut = self.cut
        widened = (cut.rows * cut.step + cut.count * (cut.view - cut.step)) * self.layout.pitch
        strips = cut.rows // cut.height + cut.count
        return (
            rates().call
            + strips * rates().strip
            + widened * rates().widen_sample
            + weaving_seconds(widened, self.layout.planes)
            + storing_seconds(task.output.samples, self.outputs.planes)
        )


def kit_of(number: Number) -> str:
    """Name the kit of loops that sums strips."""
    return f"convolution {number}"


def tap_seconds(number: Number, *, mixed: bool = False) -> float:
    """Predict the time of one product; `mixed` says that sums span several channels."""
    return {
        "int16": rates().direct_tap_short,
        "float32": rates().direct_tap_mixed if mixed else rates().direct_tap,
        "float64": rates().direct_tap_mixed_double if mixed else rates().direct_tap_double,
    }[number]


def _cut(step: Conv2d, rows: int, row_bytes: int) -> Cut:
    """Cut rows; output rows share lines if a tap of one meets the lines of another that is not too far away."""
    (stride, _), (dilation, _) = step.stride, step.dilation
    spacing = lcm(stride, dilation)
    if spacing // stride > MOST_APART:
        spacing = stride
    return Cut.of(rows, stride, step.field_of_view[0], spacing, row_bytes)


def finite(task: Task) -> bool:
    """Tell whether no sample can be infinite or NaN, so products with 0 may be left out."""
    return task.source in {"uint8", "uint16"}
