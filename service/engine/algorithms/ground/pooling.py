"""The largest or the mean of each window: over its rows first, then its columns, one strip of the output at a time."""

from __future__ import annotations

from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.engine.algorithms.arrays import stored
from service.engine.algorithms.base import Task
from service.engine.algorithms.ground.windows import Padded
from service.engine.algorithms.rates import rates
from service.engine.machine import parallel
from service.engine.steps import Pool
from service.engine.steps.geometry import Padding

STRIP_BYTES = 1 << 18
"""Approximate bytes that a strip of the output reads."""
FEW_CHANNELS = 8
"""Most channels taken one by one if windows are apart: a loop over pixels is longer than one over channels."""


class Pooling:
    name = "pooling"

    def accepts(self, task: Task) -> bool:
        return isinstance(task.step, Pool)

    def seconds(self, task: Task) -> float:
        step, rows = _known(task)
        sample = rates().pool_byte if task.source == "uint8" and step.method == "max" else rates().pool_number
        width = _span(step, 1, task.output.width)
        down = task.output.height * width * step.channels * step.size[0]
        across = task.output.samples * step.size[1]
        return (
            rates().call
            + ceil(task.output.height / rows) * rates().pool_strip
            + down * sample
            + across * (sample if step.stride[1] == 1 else rates().pool_apart)
            + (task.output.samples * rates().pool_store if step.method == "average" else 0)
        )

    def workspace(self, task: Task, threads: int) -> int:
        step, rows = _known(task)
        width = _span(step, 1, task.output.width)
        read = _span(step, 0, rows) * width * step.channels
        made = rows * width * step.channels
        positions = 8 * 4 * (sum(task.shape[:2]) + sum(step.padding))
        return threads * (read * _bytes(task.source) + 3 * made * _bytes(task.arithmetic) + (1 << 16)) + positions

    def apply(self, task: Task, image: NDArray[Any], threads: int) -> NDArray[Any]:
        step, rows = _known(task)
        result = np.empty(task.output, task.target)
        lowest = 0.0 if step.method == "average" or image.dtype.kind == "u" else -np.inf
        padded = Padded.of(image, step.padding, "constant", lowest)
        width = _span(step, 1, result.shape[1])

        def pool_strip(top: int) -> None:
            place = result[top : top + rows]
            first, count = top * step.stride[0], _span(step, 0, len(place))
            if step.padding == Padding():
                strip = image[first : first + count, :width]
            else:
                strip = np.empty((count, width, step.channels), image.dtype)
                padded.window(first, 0, strip)
            if step.method == "max":
                largest = _largest(strip, step, place.shape)
                place[...] = largest if place.dtype == image.dtype else stored(largest, task.target)
            else:
                _divide(_sums(strip, step, place.shape, _sum_type(task, step)), step, task, place)

        parallel.each(pool_strip, range(0, result.shape[0], rows), threads)
        return result


def _largest(strip: NDArray[Any], step: Pool, shape: tuple[int, ...]) -> NDArray[Any]:
    """Take the largest sample of each window of `strip` (rows, columns, C); returns `shape` (h, w, C)."""
    lines = [strip[_taps(tap, step, 0, shape[0])] for tap in range(step.size[0])]
    tallest = lines[0] if len(lines) == 1 else np.maximum(lines[0], lines[1])
    for line in lines[2:]:
        np.maximum(tallest, line, out=tallest)
    largest = tallest[:, _taps(0, step, 1, shape[1])].copy()
    for tap in range(1, step.size[1]):
        for channels in _together(step):
            seen = tallest[:, _taps(tap, step, 1, shape[1]), channels]
            np.maximum(largest[..., channels], seen, out=largest[..., channels])
    return largest


def _sums(strip: NDArray[Any], step: Pool, shape: tuple[int, ...], number: np.dtype[Any]) -> NDArray[Any]:
    """Add up each window of `strip` (rows, columns, C) in `number`; returns `shape` (h, w, C)."""
    tall = strip[_taps(0, step, 0, shape[0])].astype(number)
    for tap in range(1, step.size[0]):
        np.add(tall, strip[_taps(tap, step, 0, shape[0])], out=tall)
    sums = tall[:, _taps(0, step, 1, shape[1])].copy()
    for tap in range(1, step.size[1]):
        for channels in _together(step):
            sums[..., channels] += tall[:, _taps(tap, step, 1, shape[1]), channels]
    return sums


def _sum_type(task: Task, step: Pool) -> np.dtype[Any]:
    """Choose 16-bit integers if they hold the sum of a whole window; twice as many of them fit into a register."""
    window = step.size[0] * step.size[1]
    return np.dtype("uint16" if task.source == "uint8" and window * 255 <= 65535 else task.arithmetic)


def _divide(sums: NDArray[Any], step: Pool, task: Task, place: NDArray[Any]) -> None:
    """Put the means into `place` (h, w, C)."""
    number = np.dtype(task.arithmetic)
    means = np.divide(sums, number.type(step.size[0] * step.size[1]), dtype=number)
    if place.dtype == task.source and place.dtype.kind == "u":
        np.rint(means, out=means)  # means stay in the range of the samples
        np.copyto(place, means, casting="unsafe")
    else:
        stored(means, place.dtype, place)


def _taps(tap: int, step: Pool, axis: int, outputs: int) -> slice:
    """Select the samples that `outputs` windows see through one tap along an axis."""
    start = tap * step.dilation[axis]
    return slice(start, start + (outputs - 1) * step.stride[axis] + 1, step.stride[axis])


def _together(step: Pool) -> list[slice]:
    """Group the channels that are taken at once."""
    if step.stride[1] == 1 or step.channels > FEW_CHANNELS:
        return [slice(None)]
    return [slice(channel, channel + 1) for channel in range(step.channels)]


def _span(step: Pool, axis: int, outputs: int) -> int:
    """Count the padded samples that `outputs` windows see along an axis."""
    return (outputs - 1) * step.stride[axis] + step.field_of_view[axis]


def _bytes(dtype: str) -> int:
    return np.dtype(dtype).itemsize


def _known(task: Task) -> tuple[Pool, int]:
    """Return the step and the rows of the output in a strip."""
    step = task.step
    if not isinstance(step, Pool):
        raise TypeError(f"no way to compute a {type(step).__name__}")
    row = _span(step, 1, task.output.width) * step.channels * _bytes(task.source) * step.stride[0]
    return step, max(1, min(task.output.height, STRIP_BYTES // row))
