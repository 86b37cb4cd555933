"""Channels that are filtered separately: their layout in a piece, and the sums of their taps."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.engine.algorithms.base import Task
from service.engine.algorithms.ground.grids import Grid, Piece, Step, as_slice, padding_bytes, parts
from service.engine.algorithms.ground.sums import TAP_BYTES, add_up, groups, passes
from service.engine.algorithms.rates import rates
from service.engine.algorithms.short import short_places
from service.engine.steps import Conv2d, Weights
from service.engine.steps.binary import binary_places
from service.engine.steps.taps import factors, factors_of

Window = NDArray[Any]
Pixels = NDArray[Any]
Place = tuple[slice, slice]

SLACK = 1 << 16
"""Upper bound for small arrays and objects, in bytes."""


class Channels(NamedTuple):
    """How the channels of a step are laid out: in planes or, if `interleaved`, in one plane in their original order.

    Samples and sums are of the type `number`. `weights` (kernels, kH, kW) are the step's times 2**`places`; with
    `factors`, (column, row), the only kernel is their outer product, and is summed in two passes.
    """

    step: Step
    grid: Grid
    channels: int
    number: str
    places: int
    weights: Weights
    factors: tuple[Weights, Weights] | None
    zeros: bool
    """Whether samples may be infinite or NaN, so weights of 0 count."""

    @classmethod
    def of(cls, task: Task, step: Step, *, short: bool = True) -> Channels:
        """Lay out the channels for `step`, which is the task's step or a part of it.

        With `short`, integer sums are made in 16 bits if these suffice.
        """
        kernels = step.weight.reshape(-1, *step.kernel_size)
        rim = step.padding_value if isinstance(step, Conv2d) else 0.0
        found = factors_of(step, exact=task.exact) if isinstance(step, Conv2d) else None
        if found is None and step.shared:
            found = factors(kernels[0])
        most = step.reach.gain * abs(step.divisor)
        places = short_places(task, *(found or (kernels,)), most=most, rim=rim) if short else None
        number = task.arithmetic if places is None else "int16"
        grid = Grid.of(step, task.shape, number)
        if min(grid.vertical.most_taps, grid.horizontal.most_taps) == 1:
            found = None
        if places is not None:
            kernels = kernels * 2.0**places
            if found is not None:
                column, row = (factor * 2.0 ** (binary_places(factor) or 0) for factor in found)
                found = column, row
        return cls(step, grid, task.shape.channels, number, places or 0, kernels, found, task.source.startswith("f"))

    @property
    def nbytes(self) -> int:
        return self.weights.nbytes

    @property
    def interleaved(self) -> bool:
        return self.step.shared and self.grid.horizontal.read == 1

    @property
    def unit(self) -> int:
        """Count the samples that stay side by side."""
        return self.channels if self.interleaved else 1

    @property
    def divisor(self) -> float:
        """The divisor of the sums as they are made."""
        return 2.0**self.places * self.step.divisor

    def window(self) -> Window:
        """Allocate the samples that a piece reads: (planes, h, w)."""
        height, width = self.grid.window
        return np.empty((self.channels // self.unit, height, width * self.unit), self.number)

    def pixels(self, planes: NDArray[Any]) -> Pixels:
        """View (planes, h, w) as (h, w, channels)."""
        return planes.reshape(*planes.shape[1:2], -1, self.unit) if self.interleaved else planes.transpose(1, 2, 0)

    def sums(self, window: Window, piece: Piece) -> Iterator[tuple[Pixels, Place, slice]]:
        """Yield the sums of each phase and kernel: as pixels, with their place in rows, columns and channels."""
        shared, each = self.step.shared, len(self.weights) // self.channels
        for index, kernel in enumerate(self.weights):
            planes = slice(None) if shared else slice(index // each, index // each + 1)
            channels = slice(None) if shared else slice(index, index + 1)
            for rows, columns, sums in self._phases(window[planes], kernel, piece):
                yield self.pixels(sums), (rows, columns), channels

    def _phases(self, window: Window, kernel: Weights, piece: Piece) -> Iterator[tuple[slice, slice, Window]]:
        vertical, horizontal = self.grid.vertical, self.grid.horizontal
        steps = (vertical.read, horizontal.read)
        for down, rows in parts(vertical, piece.top, piece.height):
            seen, weights, offsets = window, kernel[list(down.taps)], down.offsets
            if self.factors is not None:
                column, row = self.factors
                taps = groups(column[list(down.taps), None], down.offsets, (0,), zeros=self.zeros)
                seen = add_up(window, taps, (vertical.read, 1), (len(rows), window.shape[2]))
                weights, offsets, steps = row[None], (0,), (1, horizontal.read)
            for across, columns in parts(horizontal, piece.left, piece.width):
                along = [self.unit * offset for offset in across.offsets]
                taps = groups(weights[:, list(across.taps)], offsets, along, zeros=self.zeros)
                sums = add_up(seen, taps, steps, (len(rows), len(columns) * self.unit))
                yield as_slice(rows), as_slice(columns), sums

    def workspace(self, task: Task, threads: int, results: int = 1) -> int:
        """Bound the bytes needed besides input and output, with `results` results of a piece held at once."""
        sample, number, result = (np.dtype(kind).itemsize for kind in (task.source, self.number, task.arithmetic))
        height, width = self.grid.window
        planes = self.channels if self.step.shared else 1
        tall = 2 * self.grid.rows * width * planes * number if self.factors else 0
        sums = self.grid.rows * self.grid.columns * planes * (2 * number + results * result)
        own = height * width * self.channels * (sample + number) + tall + sums + SLACK
        taps = prod(self.step.kernel_size) * TAP_BYTES
        kept = self.weights.nbytes + padding_bytes(self.step, task.shape)
        return min(threads, self.grid.number_of_pieces) * (own + taps) + kept

    def seconds(self) -> float:
        """Predict the time to make all sums, including copying their samples."""
        vertical, horizontal = self.grid.vertical, self.grid.horizontal
        height, width = self.grid.window
        planes = self.channels if self.step.shared else 1
        rows, columns = self.grid.rows, self.grid.columns
        calls = numbers = 0
        for down in vertical.phases:
            if self.factors is not None:
                made = passes(self.factors[0][list(down.taps)])
                calls, numbers = calls + made, numbers + made * rows * width * planes
            for across in horizontal.phases:
                if self.factors is not None:
                    made = passes(self.factors[1][list(across.taps)])
                else:
                    made = sum(passes(kernel[np.ix_(down.taps, across.taps)]) for kernel in self.weights)
                calls, numbers = calls + made, numbers + made * rows * columns * planes
        apart = rates().ground_apart if horizontal.read > 1 else 1.0
        number_bytes = np.dtype(self.number).itemsize
        return self.grid.number_of_pieces * (
            calls * rates().ground_call
            + numbers * number_bytes * rates().ground_byte * apart
            + height * width * self.channels * rates().ground_sample
        )
