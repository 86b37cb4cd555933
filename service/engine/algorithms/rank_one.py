"""Steps of rank one, the same for all channels: two filters of one axis each, down the rows and along them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.engine.algorithms.arrays import bytes_in
from service.engine.algorithms.base import Task
from service.engine.algorithms.phases import Axis as Phases
from service.engine.algorithms.rates import rates
from service.engine.algorithms.ready import ready
from service.engine.algorithms.runs import Number
from service.engine.algorithms.short import short_places, single_suffices
from service.engine.algorithms.strips import Rim
from service.engine.steps import Conv2d, ConvTranspose2d, Weights
from service.engine.steps.binary import binary_places
from service.engine.steps.borders import indices
from service.engine.steps.taps import factors, factors_of

MOST = 16
"""Channels where pixels are dealt out or woven, and phases along a row: the tables for it grow with both."""


MOST_PICKED = 4
"""Products for an output, up to which windows move by one sample."""


class Axis(NamedTuple):
    """One axis: the taps of each phase of the outputs, and where each meets the padded samples.

    Output i of a phase is the sum of weights[t] times sample i * `step` + offsets[t]. Each phase has `outputs`.
    `positions` are the source indices of the padded samples; the whole of the source is there from `first` on, unless
    rows are cropped.
    """

    weights: tuple[Weights, ...]
    offsets: tuple[NDArray[np.intp], ...]
    step: int
    positions: NDArray[np.signedinteger]
    first: int
    outputs: int

    @classmethod
    def of(cls, step: Conv2d, axis: int, taps: Weights, size: int, outputs: int) -> Axis:
        padding = (step.padding.vertical, step.padding.horizontal)[axis]
        offsets = np.arange(len(taps)) * step.dilation[axis]
        positions = indices(size, padding, step.padding_mode)
        return cls((taps,), (offsets,), step.stride[axis], positions, padding[0], outputs)

    @classmethod
    def transposed(cls, step: ConvTranspose2d, axis: int, taps: Weights, size: int, outputs: int) -> Axis:
        found = Phases.of(
            size,
            outputs,
            len(taps),
            step.stride[axis],
            step.dilation[axis],
            (step.padding.top, step.padding.left)[axis],
            step.replicate[axis],
            whole=axis == 1,
        )
        weights = tuple(taps[list(phase.taps)] for phase in found.phases)
        offsets = tuple(np.array(phase.shifts, np.intp) - found.begin for phase in found.phases)
        return cls(weights, offsets, 1, found.positions(), found.replicate - found.begin, found.outputs)

    @property
    def phases(self) -> int:
        return len(self.weights)

    @property
    def taps(self) -> int:
        return sum(map(len, self.weights))

    @property
    def view(self) -> int:
        """Count the samples from the first that an output may meet to the last."""
        return 1 + max((int(offsets.max()) for offsets in self.offsets if len(offsets)), default=0)

    @property
    def picked(self) -> bool:
        """Say whether to sum for every sample and to pick the outputs afterwards, since there is so little to sum."""
        return self.step > 1 and self.step * self.taps <= MOST_PICKED

    def scaled(self, scale: float) -> Axis:
        return self._replace(weights=tuple(weights * scale for weights in self.weights))


class Filter(NamedTuple):
    """What a step does `down` the rows and `along` them, and in what numbers.

    Weights are multiplied by 2**`places` for these, and sums divided again. `outside` is a sample beyond the rim.
    """

    down: Axis
    along: Axis
    outside: float
    divisor: float
    bias: Weights | None
    number: Number
    places: int = 0

    @property
    def nbytes(self) -> int:
        return bytes_in(*((axis.positions, *axis.weights, *axis.offsets) for axis in (self.down, self.along)))

    def narrowed(self, task: Task) -> Filter:
        """Take the narrowest numbers in which sums are as right as the task asks."""
        down, along = self.down.weights, self.along.weights
        sides = np.concatenate(down), np.concatenate(along)
        most = [max(float(np.abs(taps).sum()) for taps in phases) for phases in (down, along)]
        # Sums of integers down the rows are no larger than the results may be.
        places = short_places(task, *sides, most=most[0] * most[1], rim=self.outside)
        if places is not None:
            scales = [2.0 ** (binary_places(side) or 0) for side in sides]
            axes = self.down.scaled(scales[0]), self.along.scaled(scales[1])
            return self._replace(down=axes[0], along=axes[1], number="int16", places=places)
        if self.bias is None and single_suffices(task, down, along, self.divisor, self.outside):
            return self._replace(number="float32")
        return self

    def averages(self, task: Task) -> bool:
        """Say whether all this makes are means of four bytes, two by two, of which none lies beyond the rim."""
        axes = self.down, self.along
        return (
            (task.source, task.target, self.number) == ("uint8", "uint8", "int16")
            and self.bias is None
            and self.divisor * 2.0**self.places == 2 * 2
            and all(axis.phases == 1 and axis.weights[0].tolist() == [1, 1] for axis in axes)
            and all(bool((axis.positions >= 0).all()) for axis in axes)
            and len(self.along.positions) == task.shape.width
            and (self.along.picked or self.along.step == 1)
        )

    def seconds(self, task: Task) -> float:
        down, along, channels = self.down, self.along, task.shape.channels
        padded, (height, _, _) = len(along.positions) * channels, task.output
        sums = along.outputs * (along.step if along.picked else 1) * channels
        products = down.outputs * down.taps * padded + height * along.taps * sums
        dealt = height * padded * np.dtype(self.number).itemsize if along.step > 1 and not along.picked else 0
        woven = task.output.samples * np.dtype(task.target).itemsize if along.phases > 1 or along.picked else 0
        if self.averages(task):
            of_rows = height * (rates().resample_row + sums * rates().resample_tap_short)
            return rates().call + of_rows + woven * rates().resample_move
        return (
            rates().call
            + len(down.positions) * padded * rates().widen_sample
            + height * rates().resample_row
            + products * self._tap_seconds()
            + (dealt + woven) * rates().resample_move
            + task.output.samples * rates().resample_store
        )

    def _tap_seconds(self) -> float:
        return {
            "int16": rates().resample_tap_short,
            "float32": rates().resample_tap,
            "float64": rates().resample_tap_double,
        }[self.number]

    def rim(self, channels: int) -> Rim:
        rows, columns = self.down.positions, self.along.positions
        return Rim.of(rows, columns, self.along.first, channels, self.outside, self.number, interleaved=True)


def is_of_rank_one(task: Task) -> bool:
    """Say whether a task comes to a Filter; one with many channels may not be dealt out or woven."""
    moved = task.step.stride[1] if isinstance(task.step, Conv2d | ConvTranspose2d) else 1
    fits = moved == 1 or task.shape.channels <= MOST
    if isinstance(task.step, ConvTranspose2d):
        fits = fits and moved <= MOST
    return fits and _factors(task) is not None


@ready
def filter_of(task: Task) -> Filter:
    """Give what a task of rank one comes to."""
    step, found = task.step, _factors(task)
    sides = list(zip((0, 1), found or (), task.shape[:2], task.output[:2], strict=False))
    if isinstance(step, Conv2d) and found:
        outside = step.padding_value if step.padding_mode == "constant" else 0.0
        down, along = (Axis.of(step, *side) for side in sides)
        return Filter(down, along, outside, step.divisor, step.bias, task.arithmetic).narrowed(task)
    if isinstance(step, ConvTranspose2d) and found:
        down, along = (Axis.transposed(step, *side) for side in sides)
        return Filter(down, along, 0.0, step.divisor, step.bias, task.arithmetic).narrowed(task)
    raise TypeError(f"no two passes for {step}")


def _factors(task: Task) -> tuple[Weights, Weights] | None:
    step = task.step
    if isinstance(step, Conv2d):
        return factors_of(step, exact=task.exact)
    return factors(step.weight[0, 0]) if isinstance(step, ConvTranspose2d) and step.shared else None
