"""Transposed convolution, gathered: stride x stride ordinary convolutions, each making one phase of the output.

See phases.py for which taps make which outputs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain
from math import gcd
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.engine.algorithms.base import Task
from service.engine.algorithms.forms import MOST_APART, finite, kit_of
from service.engine.algorithms.phases import Axis, Phase
from service.engine.algorithms.rates import rates
from service.engine.algorithms.ready import ready
from service.engine.algorithms.runs import Column, Number, no_taps, table
from service.engine.algorithms.short import short_places
from service.engine.algorithms.strips import (
    Cut,
    Layout,
    Outputs,
    Rim,
    finish,
    places,
    storing_seconds,
    workspace,
)
from service.engine.algorithms.work import Sums, Work
from service.engine.machine.compiled import Kit
from service.engine.steps import ConvTranspose2d
from service.engine.steps.geometry import Pair


@dataclass(frozen=True)
class Polyphase:
    name: str = "polyphase"
    kits: tuple[Kit, ...] = ()

    def needs(self, task: Task) -> tuple[str, ...]:
        return (kit_of(_form(task).number),)

    def accepts(self, task: Task) -> bool:
        return isinstance(task.step, ConvTranspose2d)

    def seconds(self, task: Task) -> float:
        form = _form(task)
        step = form.step
        down, across = (sum(len(phase.taps) for phase in axis.phases) for axis in (form.vertical, form.horizontal))
        rows = form.vertical.outputs
        sums = rows * form.horizontal.outputs * step.out_channels * across
        products = sums * step.in_channels // step.groups * down
        cut = form.cut
        lines = cut.rows + cut.count * (cut.view - 1)
        return (
            rates().call
            + (cut.rows // cut.height + cut.count) * rates().strip
            + lines * form.layout.pitch * rates().widen_sample
            + len(form.vertical.phases) * form.taps // step.kernel_size[0] * rates().column_setup
            + products * _tap_seconds(form.number)
            + storing_seconds(task.output.samples, form.given.planes)
        )

    def workspace(self, task: Task, threads: int) -> int:
        form = _form(task)
        own = places(form.cut, form.layout, form.given, form.number, along=False)
        return workspace(own, form.cut, form.layout, threads, form.number, form.taps)

    def apply(self, task: Task, image: NDArray[Any], threads: int) -> NDArray[Any]:
        return _work(task).apply(image, threads)


@ready
def _work(task: Task) -> Work:
    form = _form(task)
    number = form.number
    bias = [0.0] * len(form.outputs) if form.step.bias is None else form.step.bias[: len(form.outputs)].tolist()
    rows = form.vertical.phases
    columns = chain.from_iterable(form.columns(phase) for phase in rows)
    sums = Sums(
        table(columns, number, form.cut.spacing * form.layout.pitch, skip_zeros=finite(task)),
        no_taps(number),
        finish(
            task, number, [form.step.divisor] * form.given.planes, bias * len(form.horizontal.phases), 0, form.places
        ),
        form.given,
    )
    return Work.of(task, form.rim(task), form.cut, form.layout, number, sums)


class Form(NamedTuple):
    """How a transposed convolution is laid out: there is a plane per output channel and horizontal phase.

    If interleaved, channels stay side by side, and there is a plane per phase only. Weights are multiplied by
    2**`places`, and the sums divided by it.
    """

    step: ConvTranspose2d
    interleaved: bool
    vertical: Axis
    horizontal: Axis
    layout: Layout
    cut: Cut
    number: Number
    places: int

    @property
    def given(self) -> Outputs:
        """Describe the planes that make up the rows of the output."""
        planes = len(self.horizontal.phases) * len(self.outputs)
        return Outputs(planes, self.horizontal.outputs * self.unit, self.unit, len(self.vertical.phases))

    @property
    def outputs(self) -> range:
        """List the output channels that are planes of their own."""
        return range(1 if self.interleaved else self.step.out_channels)

    @property
    def unit(self) -> int:
        """Count the samples that stay side by side."""
        return self.step.out_channels if self.interleaved else 1

    def place(self, shift: int, channel: int) -> int:
        """Return the offset within a row of the sample at a shift."""
        return self.layout.offset(shift - self.horizontal.begin, channel)

    @property
    def taps(self) -> int:
        """Bound the number of taps in all tables."""
        return self.step.weight.size * (self.step.out_channels if self.step.shared else 1)

    def rim(self, task: Task) -> Rim:
        rows, columns = self.vertical.positions(), self.horizontal.positions()
        first, channels = self.horizontal.replicate - self.horizontal.begin, task.shape.channels
        return Rim.of(rows, columns, first, channels, 0.0, self.number, interleaved=self.interleaved)

    def _cut(self, phase: Phase, place: int, weights: list[float]) -> list[Column]:
        """Make one column of taps, or a column per tap if the rows of output do not share their lines."""
        first = self.vertical.begin
        if len(phase.taps) > 1 and phase.shifts[1] - phase.shifts[0] != self.cut.spacing:
            pairs = zip(weights, phase.shifts, strict=True)
            return [Column((shift - first) * self.layout.pitch + place, (weight,)) for weight, shift in pairs]
        return [Column((phase.shifts[0] - first) * self.layout.pitch + place, tuple(weights))]

    def columns(self, down: Phase) -> Iterator[list[Column]]:
        """List the columns of taps of each plane that make the rows of phase `down`."""
        step = self.step
        per_group, outputs = step.in_channels // step.groups, step.weight.shape[1]
        for across in self.horizontal.phases:
            for output in self.outputs:
                group = output // outputs
                plane = []
                for channel in range(group * per_group, (group + 1) * per_group):
                    kernel = step.weight[0 if step.shared else channel, output % outputs]
                    for tap, shift in zip(across.taps, across.shifts, strict=True):
                        if down.taps:
                            weights = kernel[list(down.taps), tap].tolist()
                            plane += self._cut(down, self.place(shift, channel), weights)
                yield plane


def _tap_seconds(number: Number) -> float:
    return {
        "int16": rates().direct_tap_short,
        "float32": rates().polyphase_tap,
        "float64": rates().polyphase_tap_double,
    }[number]


def _form(task: Task) -> Form:
    step = task.step
    if not isinstance(step, ConvTranspose2d):
        raise TypeError(f"nothing transposed in a {type(step).__name__}")
    out, (strides, dilations) = task.output, (step.stride, step.dilation)
    vertical, horizontal = (
        Axis.of(
            task.shape[axis],
            out[axis],
            step.kernel_size[axis],
            strides[axis],
            dilations[axis],
            crop,
            step.replicate[axis],
            whole=axis == 1,
        )
        for axis, crop in enumerate((step.padding.top, step.padding.left))
    )
    interleaved = step.shared and (step.bias is None or bool(np.ptp(step.bias) == 0))
    width, channels = horizontal.end - horizontal.begin, task.shape.channels
    layout = Layout(channels, 1, width, interleaved)
    view = vertical.end - vertical.begin - vertical.outputs + 1
    form = Form(step, interleaved, vertical, horizontal, layout, Cut(0, 1, 1, 1, view, 1), task.arithmetic, 0)
    uniform = step.bias is None or bool(np.ptp(step.bias) == 0)
    places = short_places(task, step.weight, most=_most(step, vertical, horizontal)) if uniform else None
    if places is not None:
        form = form._replace(step=replace(step, weight=step.weight * 2.0**places), number="int16", places=places)
    row_bytes = layout.pitch * np.dtype(form.number).itemsize
    spacing = dilations[0] // gcd(dilations[0], strides[0])
    return form._replace(cut=Cut.of(vertical.outputs, 1, view, spacing if spacing <= MOST_APART else 1, row_bytes))


def _most(step: ConvTranspose2d, vertical: Axis, horizontal: Axis) -> float:
    """Compute the largest sum of the magnitudes of the weights that meet in one output sample."""
    magnitudes = np.abs(step.weight).reshape(-1 if step.shared else step.groups, *_group(step), *step.kernel_size)
    together = magnitudes.sum(axis=1)
    return max(
        float(together[..., list(down.taps), :][..., list(across.taps)].sum(axis=(-2, -1)).max(initial=0))
        for down in vertical.phases
        for across in horizontal.phases
    )


def _group(step: ConvTranspose2d) -> Pair:
    """Count the inputs and outputs of a group."""
    return (1, 1) if step.shared else (step.in_channels // step.groups, step.weight.shape[1])
