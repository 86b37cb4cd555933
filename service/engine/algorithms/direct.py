"""Convolution by its definition: each tap is a shifted copy of the strip, weighted and added."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import lcm
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.engine.algorithms.base import Task
from service.engine.algorithms.strips import (
    Cut,
    Layout,
    Piece,
    Workshop,
    accumulators,
    each_strip,
    finish,
    source,
    workspace,
)
from service.engine.algorithms.taps import TAP_BYTES, Column, column, table
from service.engine.loops.convolution import correlate
from service.engine.rates import RATES
from service.engine.steps import Conv2d


@dataclass(frozen=True)
class Direct:
    name: str = "direct"

    def accepts(self, task: Task) -> bool:
        return isinstance(task.step, Conv2d)

    def seconds(self, task: Task) -> float:
        step, form = _known(task)
        tap = RATES.direct_tap if task.arithmetic == "float32" else RATES.direct_tap_double
        rows = form.cut.count * form.cut.highest
        return (
            RATES.call
            + form.cut.count * RATES.strip
            + rows * form.layout.pitch * RATES.widen_sample
            + step.macs(task.shape) * tap
            + task.output.samples * RATES.store_sample
        )

    def workspace(self, task: Task, threads: int) -> int:
        step, form = _known(task)
        copies = 1 if not step.shared else form.planes
        return workspace(task, form.cut, form.layout, form.planes, threads) + TAP_BYTES * copies * step.weight.size

    def apply(self, task: Task, image: NDArray[Any], threads: int) -> NDArray[Any]:
        step, form = _known(task)
        result = np.empty(task.output, task.target)
        samples = result.reshape(len(result), -1)
        image_and_rim = source(image, step.padding, step.padding_mode, step.padding_value, interleaved=form.interleaved)
        distance = form.distance
        planes = (list(columns(step, kernels, form)) for kernels in _kernels(step, form))
        taps = table(planes, task.arithmetic, distance, skip_zeros=task.source.startswith("uint"))
        end = finish(task, [step.divisor] * form.planes, biases(step, form))

        def filter_strip(piece: Piece, own: Workshop) -> None:
            flat, width = own.strip.reshape(-1), samples.shape[1] // form.planes
            apart, pitch = max(1, form.cut.apart), form.cut.step * form.layout.pitch
            correlate(flat, pitch, apart, taps, end, samples, piece.first, 1, piece.count, width, *own.scratch)

        each_strip(
            image_and_rim,
            form.cut,
            form.layout,
            task.arithmetic,
            lambda: (accumulators(form.planes, task.arithmetic),),
            filter_strip,
            threads,
        )
        return result


class Form(NamedTuple):
    """How a convolution is laid out. Interleaved, a row of all channels counts as one plane, and a tap shifts it.

    Otherwise each output channel is a plane of its own, summed from planes of the input.
    """

    interleaved: bool
    layout: Layout
    cut: Cut
    planes: int

    @property
    def distance(self) -> int:
        """Count the floats between taps of one run; 0 where there are no runs."""
        return self.cut.apart * self.cut.step * self.layout.pitch


def form(step: Conv2d, task: Task) -> Form:
    interleaved = step.shared and step.stride[1] == 1 and (step.bias is None or bool(np.ptp(step.bias) == 0))
    width = task.shape.width + sum(step.padding.horizontal)
    channels = task.shape.channels
    layout = Layout(1, 1, width * channels) if interleaved else Layout(channels, step.stride[1], width)
    row_bytes = layout.pitch * np.dtype(task.arithmetic).itemsize
    spacing = lcm(step.stride[0], step.dilation[0])
    cut = Cut.of(task.output.height, step.stride[0], step.field_of_view[0], spacing, row_bytes)
    return Form(interleaved, layout, cut, 1 if interleaved else step.out_channels)


def biases(step: Conv2d, form: Form) -> list[float]:
    return [0.0] * form.planes if step.bias is None else [float(number) for number in step.bias[: form.planes]]


def columns(step: Conv2d, kernels: list[tuple[int, NDArray[np.float64]]], form: Form) -> Iterator[Column]:
    """Cut kernels, each for one channel of the input, into columns of taps that grouped rows have in common."""
    spacing = lcm(step.stride[0], step.dilation[0]) // step.dilation[0]
    for channel, kernel in kernels:
        for across in range(kernel.shape[1]):
            x = across * step.dilation[1]
            along = x * step.groups if form.interleaved else form.layout.offset(x, channel)
            for down in range(min(spacing, len(kernel))):
                offset = down * step.dilation[0] * form.layout.pitch + along
                yield Column(offset, column(kernel[down::spacing, across]))


def _kernels(step: Conv2d, form: Form) -> Iterator[list[tuple[int, NDArray[np.float64]]]]:
    """List for each plane of the output the channels it is made of, with their kernels."""
    if step.shared:
        for channel in range(form.planes):
            yield [(channel, step.weight[0, 0])]
        return
    outputs, per_group = step.weight.shape[:2]
    for output in range(outputs):
        first = output // (outputs // step.groups) * per_group
        yield [(first + channel, step.weight[output, channel]) for channel in range(per_group)]


def _known(task: Task) -> tuple[Conv2d, Form]:
    if not isinstance(task.step, Conv2d):
        raise TypeError(f"no way to compute a {type(task.step).__name__}")
    return task.step, form(task.step, task)
