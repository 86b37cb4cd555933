"""Filters of rank one in the terms of the loop that makes them in two passes: taps, rows, planes, lines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import ceil, lcm
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.engine.algorithms.base import Task
from service.engine.algorithms.phases import Axis as Transposed
from service.engine.algorithms.ready import ready
from service.engine.algorithms.runs import Number, separable_tap_seconds
from service.engine.algorithms.short import short_places, single_suffices
from service.engine.algorithms.strips import SLACK, Rim, finish, shapes, storing_seconds
from service.engine.algorithms.work import Part, Parts
from service.engine.arrays import bytes_in
from service.engine.binary import binary_places
from service.engine.borders import indices
from service.engine.calls import Call
from service.engine.loops.moving import BLOCK, PAIR, Moves
from service.engine.loops.two_passes import TOGETHER, End, Layout, Taps, filter_in_two_passes
from service.engine.precision import Arithmetic
from service.engine.rates import rates
from service.engine.steps import Conv2d, ConvTranspose2d, Weights
from service.engine.taps import factors, factors_of

Integers = NDArray[np.intp]

MOST = 16
"""Channels, and phases along a row: the tables of what is dealt out or woven grow with both."""
PIECES = 16
"""Of the result, if they are not too low: those that threads take last are then small."""
LINE = 64
"""Bytes of a cache line."""
NOWHERE = 255
"""The place in a window of a byte that comes from another one."""


class Axis(NamedTuple):
    """One axis: the taps of each phase of the outputs, and where each meets the padded samples.

    Output i of a phase is the sum of weights[t] times sample i * `step` + offsets[t]. Each phase has `outputs`.
    `positions` are the source indices of the padded samples; the whole of the source is there from `first` on, unless
    rows are cropped.
    """

    weights: tuple[Weights, ...]
    offsets: tuple[Integers, ...]
    step: int
    positions: NDArray[np.signedinteger]
    first: int
    outputs: int

    @property
    def phases(self) -> int:
        return len(self.weights)

    @property
    def taps(self) -> int:
        return sum(map(len, self.weights))

    def scaled(self, scale: float) -> Axis:
        return self._replace(weights=tuple(weights * scale for weights in self.weights))

    @property
    def view(self) -> int:
        """Count the samples from the first that an output may meet to the last."""
        return 1 + max((int(offsets.max()) for offsets in self.offsets if len(offsets)), default=0)


class Filter(NamedTuple):
    """A step of rank one: what it does `down` the rows and `along` them, and in what numbers.

    Weights are multiplied by 2**`places` for these, and sums divided again.
    """

    down: Axis
    along: Axis
    outside: float
    divisor: float
    bias: Weights | None
    number: Number
    places: int

    @property
    def nbytes(self) -> int:
        return bytes_in(*((axis.positions, *axis.weights, *axis.offsets) for axis in (self.down, self.along)))

    def seconds(self, task: Task) -> float:
        down, along, channels = self.down, self.along, task.shape.channels
        padded, (height, _, _) = len(along.positions) * channels, task.output
        products = down.outputs * down.taps * padded + height * along.taps * along.outputs * channels
        dealt = height * padded * rates().weave_sample if along.step > 1 else 0.0
        return (
            rates().call
            + len(down.positions) * padded * rates().widen_sample
            + height * rates().separable_row
            + products * separable_tap_seconds(self.number)
            + dealt
            + storing_seconds(task.output.samples, along.phases)
        )

    def rim(self, channels: int) -> Rim:
        rows, columns = self.down.positions, self.along.positions
        return Rim.of(rows, columns, self.along.first, channels, self.outside, self.number, interleaved=True)


def is_filter(task: Task) -> bool:
    """Say whether a task comes to a filter of rank one, the same for all channels, of which there are not too many."""
    step, channels = task.step, task.shape.channels
    if isinstance(step, Conv2d):
        return factors_of(step, exact=task.exact) is not None and (step.stride[1] == 1 or channels <= MOST)
    few = isinstance(step, ConvTranspose2d) and step.shared and max(step.stride[1], channels) <= MOST
    return few and factors(step.weight[0, 0]) is not None


@ready
def filter_of(task: Task) -> Filter:
    """Give what a task comes to, in the narrowest numbers in which its sums are as right as it asks."""
    step = task.step
    found = factors_of(step, exact=task.exact) if isinstance(step, Conv2d) else factors(step.weight[0, 0])
    outside = 0.0
    if isinstance(step, Conv2d):
        sides = zip(found, task.shape[:2], task.output[:2], step.stride, step.dilation, _ends(step), strict=True)
        down, along = (_plain(step, *side) for side in sides)
        outside = step.padding_value if step.padding_mode == "constant" else 0.0
    else:
        down, along = (_transposed(step, task, axis, found[axis]) for axis in (0, 1))
    taps = down.weights, along.weights
    sides = [np.concatenate(weights) for weights in taps]
    most = [max(float(np.abs(phase).sum()) for phase in weights) for weights in taps]
    # What is summed down the rows is no larger than what may come of it: the weights are integers then.
    places = short_places(task, *sides, most=most[0] * most[1], rim=outside)
    number: Number = task.arithmetic
    if places is not None:
        number = "int16"
        down, along = (axis.scaled(2.0 ** (binary_places(side) or 0)) for axis, side in zip((down, along), sides, strict=True))
    elif step.bias is None and single_suffices(task, *taps, step.divisor, outside):
        number = "float32"
    return Filter(down, along, outside, step.divisor, step.bias, number, places or 0)


def _ends(step: Conv2d) -> tuple[tuple[int, int], tuple[int, int]]:
    return step.padding.vertical, step.padding.horizontal


def _plain(
    step: Conv2d, taps: Weights, size: int, outputs: int, stride: int, dilation: int, padding: tuple[int, int]
) -> Axis:
    positions = indices(size, padding, step.padding_mode)
    return Axis((taps,), (np.arange(len(taps)) * dilation,), stride, positions, padding[0], outputs)


def _transposed(step: ConvTranspose2d, task: Task, axis: int, taps: Weights) -> Axis:
    crop = (step.padding.top, step.padding.left)[axis]
    found = Transposed.of(
        task.shape[axis],
        task.output[axis],
        len(taps),
        step.stride[axis],
        step.dilation[axis],
        crop,
        step.replicate[axis],
        whole=axis == 1,
    )
    weights = tuple(taps[list(phase.taps)] for phase in found.phases)
    offsets = tuple(np.array(phase.shifts, np.intp) - found.begin for phase in found.phases)
    return Axis(weights, offsets, 1, found.positions(), found.replicate - found.begin, found.outputs)


class TwoPasses(Call):
    """A filter in the terms of the loop."""

    @classmethod
    def of(cls, task: Task) -> TwoPasses:
        known = filter_of(task)
        down, along, channels, number = known.down, known.along, task.shape.channels, np.dtype(known.number)
        padded, each = len(along.positions) * channels, along.outputs * channels
        residues = [] if along.step == 1 else sorted({int(offset) % along.step for offset in along.offsets[0]})
        pitch = _odd_lines(ceil(padded / TOGETHER) * TOGETHER * number.itemsize) // number.itemsize
        plane = (ceil(len(along.positions) / along.step) + 1) * channels + TOGETHER
        samples = np.dtype(task.target).itemsize
        line = _odd_lines(ceil(each / TOGETHER) * TOGETHER * samples)
        kept = down.view
        parts = Parts.laid_out(
            Part((kept, pitch), number),
            Part((padded + 2 * TOGETHER,), number, BLOCK),
            Part((len(residues), plane), number, BLOCK),
            Part((along.phases, line), np.dtype(np.uint8), BLOCK),
            Part((2 * max(kept, down.taps),), np.dtype(np.intp)),
        )
        layout = Layout(
            _edges(task.output.height, down),
            kept,
            np.arange(2 * kept) % kept * pitch,
            padded,
            each,
            channels,
            np.array(residues, np.intp),
            plane,
            line,
            parts.starts,
        )
        unit = channels * number.itemsize
        return cls(
            filter_in_two_passes,
            shapes(task, 1),
            known.rim(channels),
            layout,
            _taps(down, number, lambda offset: offset),
            _taps(along, number, lambda x: _place(x, along.step, residues, plane, channels)),
            _moves(unit, 1, along.step, 0),
            _moves(channels * samples, along.phases, 1, line),
            _end(task, known, each),
            output=task.output,
            target=task.target,
            pieces=len(layout.edges) - 1,
            room=parts.room,
        )

    def workspace(self, threads: int) -> int:
        """Bound the bytes beside input and output, those of the tables while they are made included."""
        return super().workspace(threads) + 3 * self.nbytes + SLACK


def _odd_lines(size: int) -> int:
    """Round a number of bytes up to an odd number of cache lines, lest rows stand in each other's way."""
    return (ceil(size / LINE) | 1) * LINE


def _place(x: int, step: int, residues: Sequence[int], plane: int, channels: int) -> int:
    """Give where a padded column stands among the planes."""
    return x * channels if step == 1 else residues.index(x % step) * plane + x // step * channels


def _edges(rows: int, down: Axis) -> Integers:
    """Cut the rows of the output; where a piece begins, what the one before has seen last is padded anew."""
    lowest = 2 * ceil(down.view / down.step)
    groups = max(ceil(rows / down.phases / PIECES), lowest)
    return np.array([*range(0, rows, groups * down.phases), rows])


def _taps(axis: Axis, number: np.dtype[np.number], place: Callable[[int], int]) -> Taps:
    """Tabulate the taps, the smallest of each phase first: see `single_suffices`."""
    orders = [np.argsort(np.abs(weights), kind="stable") for weights in axis.weights]
    ordered = [(w[order], o[order]) for w, o, order in zip(axis.weights, axis.offsets, orders, strict=True)]
    return Taps(
        np.array([*(weight for weights, _ in ordered for weight in weights), 0], number),
        np.array([*(place(int(offset)) for _, offsets in ordered for offset in offsets), 0], np.intp),
        np.cumsum([0, *map(len, axis.weights)]),
        axis.step,
    )


def _end(task: Task, known: Filter, each: int) -> End:
    whole = known.number == "int16"
    bias = [0.0] if known.bias is None else known.bias.tolist()
    arithmetic: Arithmetic = "float64" if known.number == "float64" else "float32"
    uniform = len(set(bias)) == 1
    end = finish(
        replace(task, arithmetic=arithmetic), [known.divisor], bias[:1] if uniform else bias, places=known.places
    )
    biases = end.bias if uniform else np.resize(end.bias, each + TOGETHER)
    return End(np.concatenate([end.divisor, end.scale, biases]), end.shift if whole else None)


def _moves(unit: int, planes: int, step: int, apart: int) -> Moves:
    """Tabulate how units of bytes come together: every `step`-th, one of each plane in turn; these are `apart` bytes.

    With one plane and a step of 1 they stay where they are.
    """
    group = planes * unit
    size = lcm(BLOCK, group)
    byte = np.arange(size)
    source = byte // group * unit * step + byte % group // unit * apart + byte % unit
    blocks = [_windows(block) for block in source.reshape(-1, BLOCK)]
    windows = ceil(max(map(len, blocks)) / PAIR) * PAIR
    places = np.full((len(blocks), windows, BLOCK), NOWHERE, np.uint8)
    starts = np.zeros((len(blocks), windows), np.intp)
    for b, block in enumerate(blocks):
        for w, (start, taken) in enumerate(block):
            starts[b, w] = start
            places[b, w] = taken
        starts[b, len(block) :] = starts[b, 0]
    return Moves(starts, places.reshape(-1), size // group * unit * step)


def _windows(block: Integers) -> list[tuple[int, Integers]]:
    """Find windows of BLOCK bytes that hold those of a block; gives where each begins, and the places in it."""
    found, left = [], np.ones(BLOCK, np.bool_)
    while left.any():
        start = int(block[left].min())
        taken = left & (block < start + BLOCK)
        found.append((start, np.where(taken, block - start, NOWHERE)))
        left &= ~taken
    return found
