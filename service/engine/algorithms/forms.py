"""How an ordinary convolution is laid out in strips; direct, separable and gradient differ in the taps alone."""

from __future__ import annotations

from collections.abc import Iterator
from math import lcm
from typing import NamedTuple

import numpy as np

from service.engine.algorithms.base import Task
from service.engine.algorithms.rates import rates
from service.engine.algorithms.runs import Column, Number
from service.engine.algorithms.short import short_places
from service.engine.algorithms.strips import Cut, Layout, Rim, finish, storing_seconds, weaving_seconds
from service.engine.algorithms.work import Sums, Work
from service.engine.loops.convolution import Finish
from service.engine.steps import Conv2d, Weights


class Form(NamedTuple):
    """Interleaved, a row with all its channels counts as one plane, and a tap shifts it by whole pixels.

    Otherwise each channel of the output is a plane of its own, summed from planes of the input. Weights are multiplied
    by 2**`places`, and the sums divided again.
    """

    step: Conv2d
    interleaved: bool
    layout: Layout
    cut: Cut
    planes: int
    columns: int
    number: Number
    places: int

    @classmethod
    def of(cls, step: Conv2d, task: Task) -> Form:
        interleaved = step.shared and step.stride[1] == 1 and _is_uniform(step.bias)
        most = float(np.abs(step.weight).sum(axis=(1, 2, 3)).max())
        places = short_places(task, step.weight, most=most, rim=step.padding_value)
        number: Number = task.arithmetic if places is None else "int16"
        (height, width, outputs), channels = task.output, task.shape.channels
        padded = task.shape.width + sum(step.padding.horizontal)
        layout = Layout(1, 1, padded * channels) if interleaved else Layout(channels, step.stride[1], padded)
        spacing = lcm(step.stride[0], step.dilation[0])
        row_bytes = layout.pitch * np.dtype(number).itemsize
        cut = Cut.of(height, step.stride[0], step.field_of_view[0], spacing, row_bytes)
        planes = 1 if interleaved else outputs
        return cls(step, interleaved, layout, cut, planes, width * outputs // planes, number, places or 0)

    @property
    def distance(self) -> int:
        """Count the floats between the taps of one column."""
        return self.cut.spacing * self.layout.pitch

    def rim(self, task: Task) -> Rim:
        step = self.step
        return Rim.padded(
            task.shape, step.padding, step.padding_mode, step.padding_value, self.number, interleaved=self.interleaved
        )

    def work(self, task: Task, sums: Sums) -> Work:
        return Work.of(task, self.rim(task), self.cut, self.layout, sums)

    def finish(self, task: Task) -> Finish:
        bias = [0.0] * self.planes if self.step.bias is None else self.step.bias[: self.planes].tolist()
        return finish(task, [self.step.divisor] * self.planes, bias, places=self.places)

    def along(self, tap: int, channel: int = 0) -> int:
        """Give the offset within a row of the horizontal tap `tap`."""
        x = tap * self.step.dilation[1]
        return x * self.step.groups if self.interleaved else self.layout.offset(x, channel)

    def columns_of(self, kernel: Weights, channel: int = 0) -> Iterator[Column]:
        """Cut a kernel (kH, kW) for one channel of the input into the columns of taps that grouped rows share."""
        dilation = self.step.dilation[0]
        every = lcm(self.step.stride[0], dilation) // dilation
        for across in range(kernel.shape[1]):
            for down in range(min(every, len(kernel))):
                offset = down * dilation * self.layout.pitch + self.along(across, channel)
                yield Column(offset, tuple(kernel[down::every, across].tolist()))

    def seconds(self, task: Task) -> float:
        """Predict the time of everything but the taps."""
        widened = self.cut.count * self.cut.highest * self.layout.pitch
        return (
            rates().call
            + self.cut.count * rates().strip
            + widened * rates().widen_sample
            + weaving_seconds(widened, self.layout.channels * self.layout.phases)
            + storing_seconds(task.output.samples, self.planes)
        )


def kit_of(form: Form) -> str:
    """Name the part of the loops that sums strips."""
    return f"convolution {form.number}"


def tap_seconds(number: Number, *, mixed: bool = False) -> float:
    """Predict the time of one product; `mixed` says that a sum goes over several channels."""
    return {
        "int16": rates().direct_tap_short,
        "float32": rates().direct_tap_mixed if mixed else rates().direct_tap,
        "float64": rates().direct_tap_mixed_double if mixed else rates().direct_tap_double,
    }[number]


def _is_uniform(bias: Weights | None) -> bool:
    return bias is None or bool(np.ptp(bias) == 0)


def finite(task: Task) -> bool:
    """Say whether no sample can be infinite or NaN, so that a product with 0 may be left out."""
    return task.source in {"uint8", "uint16"}
