"""Sums over channels: the samples that the taps see, one matrix row per pixel, times the weights."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from math import ceil
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.engine.algorithms.arrays import stored
from service.engine.algorithms.base import Task
from service.engine.algorithms.ground.grids import (
    Grid,
    Phase,
    Piece,
    Step,
    as_slice,
    every,
    padded,
    padding_bytes,
    parts,
)
from service.engine.algorithms.ground.sums import finished, storing_seconds
from service.engine.algorithms.rates import rates
from service.engine.machine import parallel
from service.engine.steps import Conv2d, ConvTranspose2d

Matrices = dict[tuple[Phase, Phase], NDArray[Any]]
Place = tuple[slice, slice]

MATRIX_BYTES = 1 << 20
"""Approximate bytes of the samples laid out at once."""
SLACK = 1 << 16
"""Upper bound for small arrays and objects, in bytes."""


class Products:
    name = "products"

    def accepts(self, task: Task) -> bool:
        return isinstance(task.step, Conv2d | ConvTranspose2d) and not task.step.shared

    def seconds(self, task: Task) -> float:
        form = _form(task)
        laid = calls = 0
        for down, across in product(form.grid.vertical.phases, form.grid.horizontal.phases):
            taps = len(down.taps) * len(across.taps)
            rows, columns = form.block(taps)
            calls += ceil(form.grid.rows / rows) * ceil(form.grid.columns / columns) * (taps + 4)
            laid += form.grid.rows * form.grid.columns * taps * task.shape.channels
        height, width = form.grid.window
        piece = (
            height * width * task.shape.channels * rates().ground_sample
            + calls * rates().ground_call
            + laid * (rates().ground_lay + form.outputs * rates().ground_product)
        )
        return rates().call + form.grid.number_of_pieces * piece + storing_seconds(task, 2.0)

    def workspace(self, task: Task, threads: int) -> int:
        form = _form(task)
        height, width = form.grid.window
        taps = form.grid.vertical.most_taps * form.grid.horizontal.most_taps
        rows, columns = form.block(taps)
        sample, number = np.dtype(task.source).itemsize, np.dtype(task.arithmetic).itemsize
        window = height * width * task.shape.channels * (sample + number)
        block = rows * columns * (taps * task.shape.channels + 2 * task.output.channels) * number
        weights = form.step.weight.size * (number + 2 * form.step.weight.itemsize)
        own = window + block + SLACK
        return min(threads, form.grid.number_of_pieces) * own + weights + padding_bytes(form.step, task.shape)

    def apply(self, task: Task, image: NDArray[Any], threads: int) -> NDArray[Any]:
        form = _form(task)
        source, result = padded(form.step, image), np.empty(task.output, task.target)
        weights = form.weights()
        bias = 0.0 if form.step.bias is None else form.step.bias

        def compute(piece: Piece) -> None:
            window = np.empty((*form.grid.window, task.shape.channels), form.number)
            form.grid.read(source, piece, window)
            for place, sums in form.sums(window, weights, piece):
                stored(finished(sums, form.step.divisor, bias, task), task.target, result[place])

        parallel.each(compute, form.grid.pieces(), threads)
        return result


class _Form(NamedTuple):
    """A step that mixes channels; `inputs` and `outputs` count the channels of a group."""

    step: Step
    grid: Grid
    inputs: int
    outputs: int
    number: str

    def weights(self) -> Matrices:
        """Return the weights of each phase as matrices: (groups, taps * inputs, outputs)."""
        groups, size = self.step.groups, self.step.kernel_size
        if isinstance(self.step, Conv2d):
            sorted_ = self.step.weight.reshape(groups, self.outputs, self.inputs, *size).transpose(0, 3, 4, 2, 1)
        else:
            sorted_ = self.step.weight.reshape(groups, self.inputs, self.outputs, *size).transpose(0, 3, 4, 1, 2)
        return {
            (down, across): sorted_[:, list(down.taps)][:, :, list(across.taps)]
            .reshape(groups, -1, self.outputs)
            .astype(self.number)
            for down, across in product(self.grid.vertical.phases, self.grid.horizontal.phases)
        }

    def sums(self, window: NDArray[Any], weights: Matrices, piece: Piece) -> Iterator[tuple[Place, NDArray[Any]]]:
        """Yield the sums (h, w, out) of some pixels of each phase in turn, with the rows and columns they fill."""
        vertical, horizontal = self.grid.vertical, self.grid.horizontal
        grouped = window.reshape(*window.shape[:2], self.step.groups, self.inputs)
        for (down, rows), (across, columns) in product(
            parts(vertical, piece.top, piece.height), parts(horizontal, piece.left, piece.width)
        ):
            matrix = weights[down, across]
            height, width = self.block(len(down.taps) * len(across.taps))
            for top, left in product(range(0, len(rows), height), range(0, len(columns), width)):
                place = rows[top : top + height], columns[left : left + width]
                corner = grouped[top * vertical.read :, left * horizontal.read :]
                shape = len(place[0]), len(place[1])
                sums = self._seen(corner, down, across, shape) @ matrix
                pixels = sums.reshape(-1, *shape, self.outputs).transpose(1, 2, 0, 3).reshape(*shape, -1)
                yield (as_slice(place[0]), as_slice(place[1])), pixels

    def _seen(self, window: NDArray[Any], down: Phase, across: Phase, shape: tuple[int, int]) -> NDArray[Any]:
        """Lay out the samples that a phase's taps see for each of `shape` pixels: (groups, pixels, taps * inputs)."""
        places = list(product(down.offsets, across.offsets))
        seen = np.empty((self.step.groups, *shape, len(places), self.inputs), self.number)
        for tap, (row, column) in enumerate(places):
            rows = every(row, shape[0], self.grid.vertical.read)
            columns = every(column, shape[1], self.grid.horizontal.read)
            seen[:, :, :, tap] = window[rows, columns].transpose(2, 0, 1, 3)
        return seen.reshape(self.step.groups, shape[0] * shape[1], len(places) * self.inputs)

    def block(self, taps: int) -> tuple[int, int]:
        """Return the rows and columns of a phase whose samples are laid out at once."""
        pixels = MATRIX_BYTES // (max(1, taps) * self.step.in_channels * np.dtype(self.number).itemsize)
        columns = max(1, min(self.grid.columns, pixels))
        return max(1, min(self.grid.rows, pixels // columns)), columns


def _form(task: Task) -> _Form:
    step = task.step
    if not isinstance(step, Conv2d | ConvTranspose2d):
        raise TypeError(f"no products for a {type(step).__name__}")
    inputs, outputs = step.in_channels // step.groups, step.out_channels // step.groups
    return _Form(step, Grid.of(step, task.shape, task.arithmetic), inputs, outputs, task.arithmetic)
