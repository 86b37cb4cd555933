"""Kernels of rank one that enlarge, reduce or filter in integers: down the rows, then along what comes of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import ceil, lcm
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.engine.algorithms.base import Task
from service.engine.algorithms.calls import Call
from service.engine.algorithms.rank_one import Axis, Filter, filter_of, is_of_rank_one
from service.engine.algorithms.ready import ready
from service.engine.algorithms.strips import SLACK, finish, shapes
from service.engine.algorithms.work import Part, Parts
from service.engine.loops.moving import BLOCK, PAIR, Moves
from service.engine.loops.resampling import TOGETHER, End, Layout, Taps, resample
from service.engine.machine.compiled import Kit
from service.engine.steps import Conv2d
from service.engine.steps.geometry import Shape
from service.engine.steps.precision import Arithmetic

Integers = NDArray[np.intp]

PIECES = 16
"""The result is cut into so many, if they are not too low: the last ones that threads take are then small."""
LINE = 64
"""Bytes of a cache line."""
NOWHERE = 255
"""The place in a window of a byte that comes from another one."""


class Resampling:
    name = "resampling"
    kits = (
        Kit("resampling int16", 1, lambda: _halve(1.0, "float32")),
        Kit("resampling float32", 1, lambda: _halve(1 / 3, "float32")),
        Kit("resampling float64", 3, lambda: _halve(1 / 3, "float64")),
    )

    def needs(self, task: Task) -> tuple[str, ...]:
        return (f"resampling {filter_of(task).number}",)

    def accepts(self, task: Task) -> bool:
        return is_of_rank_one(task)

    def seconds(self, task: Task) -> float:
        return filter_of(task).seconds(task)

    def workspace(self, task: Task, threads: int) -> int:
        return _call(task).workspace(threads)

    def apply(self, task: Task, image: NDArray[Any], threads: int) -> NDArray[Any]:
        return _call(task).apply(image, threads)


def _halve(weight: float, arithmetic: Arithmetic) -> None:
    step, image = Conv2d(np.full((1, 1, 2, 2), weight), stride=(2, 2)), np.zeros((2, 2, 1), np.uint8)
    Resampling().apply(Task(step, Shape(*image.shape), "uint8", "uint8", arithmetic), image, 1)


class Resampled(Call):
    """A filter in the terms of the loop."""

    @classmethod
    def of(cls, task: Task) -> Resampled:
        known = filter_of(task)
        down, along, channels, number = known.down, known.along, task.shape.channels, np.dtype(known.number)
        step, every = (1, along.step) if along.picked else (along.step, 1)
        padded, each = len(along.positions) * channels, ((along.outputs - 1) * every + 1) * channels
        residues = [] if step == 1 else sorted({int(offset) % step for offset in along.offsets[0]})
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
            known.averages(task) and each >= TOGETHER,
        )
        unit = channels * number.itemsize
        return cls(
            resample,
            shapes(task, 1),
            known.rim(channels),
            layout,
            _taps(down, number, lambda offset: offset),
            _taps(along, number, lambda x: _place(x, step, residues, plane, channels)),
            moves(unit, 1, step, 0),
            moves(channels * samples, along.phases, every, line),
            _end(task, known, each),
            output=task.output,
            target=task.target,
            pieces=len(layout.edges) - 1,
            room=parts.room,
        )

    def workspace(self, threads: int) -> int:
        """Bound the bytes beside input and output, those of the tables while they are made included."""
        return super().workspace(threads) + 3 * self.nbytes + SLACK


@ready
def _call(task: Task) -> Resampled:
    return Resampled.of(task)


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
    summed, divisors = replace(task, arithmetic=arithmetic), [known.divisor]
    end = finish(summed, known.number, divisors, bias[:1] if uniform else bias, places=known.places)
    biases = end.bias if uniform else np.resize(end.bias, each + TOGETHER)
    return End(np.concatenate([end.divisor, end.scale, biases]), end.shift if whole else None)


def moves(unit: int, planes: int, step: int, apart: int) -> Moves:
    """Tabulate how units of bytes come together: every `step`-th, one of each plane in turn; these are `apart` bytes.

    With one plane and a step of 1 they stay where they are, and there is nothing to tabulate.
    """
    if planes == step == 1:
        return Moves(np.zeros((0, PAIR), np.intp), np.zeros(0, np.uint8), 0)
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
