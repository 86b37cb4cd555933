"""Rows in segments, for two passes: how rows are laid out and cut, and when it is worth while."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.engine.algorithms.base import Task
from service.engine.algorithms.calls import Call
from service.engine.algorithms.forms import finite
from service.engine.algorithms.runs import Number
from service.engine.algorithms.strips import PIECES, SLACK, Rim, shapes
from service.engine.algorithms.work import Part, Parts
from service.engine.loops.convolution import Finish
from service.engine.loops.dealing import SHARE
from service.engine.loops.lanes import VECTOR_BYTES
from service.engine.loops.segments import BLOCK, Runs, Segments, convolve_segments
from service.engine.loops.sums import LINES

TILE_BYTES = 24 << 10
"""Of a widened tile, at most: most of a first-level cache."""
HIGHEST_PIECE = 128
"""Rows, unless a column of taps is longer: a few pieces more than there are threads."""


class Run(NamedTuple):
    """Taps that follow one another; the first of them meets padded sample `first` for output 0."""

    first: int
    weights: tuple[float, ...]


WIDE = 1024
"""Groups of samples in rows that are wide enough at every level."""


def kit_of_segments(number: Number) -> str:
    """Name the part of the loops that sums segments."""
    return f"segments {number}"


def wide_enough(groups: int, number: Number) -> bool:
    """Say whether rows of so many groups of samples can be cut into segments.

    Not for integers of 16 bits: shuffles of so many lanes, for samples of all kinds, take 25 seconds to compile.
    """
    return number != "int16" and bool(_choices(groups, _lanes(number)))


class Segmented(Call):
    """A task in the terms of the loops: one phase of the rows of the output for each run of `down`."""

    @classmethod
    def of(
        cls, task: Task, rim: Rim, finish: Finish, number: Number, down: Sequence[Run], along: Sequence[Run]
    ) -> Segmented:
        """Take a run for each phase of the rows and of the columns; `rim` is interleaved."""
        (height, width, channels), numbers = task.output, np.dtype(number)
        groups, lanes, planes = width // len(along), _lanes(number), len(along) * channels
        view, reach = (max(run.first + len(run.weights) for run in runs) for runs in (along, down))
        count, each = _tiles(groups, channels, view, lanes)
        tiles = np.minimum(np.arange(count) * each * lanes, groups - each * lanes)
        length = (each + view - 1) * channels
        rows = ceil(height / len(down))
        highest = max(HIGHEST_PIECE, reach)
        piece = ceil(rows / max(PIECES, ceil(rows / highest)) / LINES) * LINES
        edges = _edges(rows, piece, min(piece, max(ceil(piece / 4 / LINES), ceil(2 * reach / LINES)) * LINES))
        ring = LINES + reach - 1
        filled = ceil(length / SHARE) * SHARE
        pitch = (count * each * planes | 1) * lanes
        starts = np.arange(lanes) * each * channels
        outside = [_met(np.flatnonzero(rim.columns < 0) - tile * channels, starts, length) for tile in tiles]
        byte = np.dtype(np.uint8)
        parts = Parts.laid_out(
            Part(((groups * channels + filled) * np.dtype(task.source).itemsize,), byte),
            Part((filled * lanes,), numbers),
            Part((ring, pitch), numbers),
            Part((LINES * BLOCK * lanes,), byte),
        )
        segments = Segments(
            edges,
            reach,
            tiles,
            each,
            planes,
            channels,
            starts,
            np.arange(lanes) * each * planes,
            length,
            np.concatenate(outside),
            np.cumsum([0, *map(len, outside)]),
            ring,
            np.arange(2 * ring) % ring * pitch,
            np.arange(view + LINES) * channels * lanes,
            filled,
            pitch,
            parts.starts,
        )
        tables = (_runs(some, number, fold=finite(task)) for some in (down, along))
        arguments = (shapes(task, len(down)), rim, segments, *tables, finish)
        return cls(
            convolve_segments,
            *arguments,
            output=task.output,
            target=task.target,
            pieces=len(edges) - 1,
            room=parts.room,
        )

    def workspace(self, threads: int) -> int:
        """Bound the bytes beside input and output, those of the tables while they are made included."""
        return super().workspace(threads) + 3 * self.nbytes + SLACK


def _edges(rows: int, piece: int, small: int) -> NDArray[np.intp]:
    """Cut rows into pieces, and the last quarter into `small` ones: whoever comes late has less to be waited for."""
    whole = rows * 3 // 4 // piece * piece
    return np.array([*range(0, whole, piece), *range(whole, rows, small), rows])


def _lanes(number: Number) -> int:
    return VECTOR_BYTES // np.dtype(number).itemsize


def _choices(groups: int, lanes: int) -> list[tuple[int, int]]:
    """List how rows can be cut: into how many tiles, and how many groups are in each of their segments."""
    cuts = [(count, ceil(groups / count / lanes)) for count in range(1, groups // (SHARE * lanes) + 1)]
    return [(count, each) for count, each in cuts if each * lanes <= groups]


def _tiles(groups: int, channels: int, view: int, lanes: int) -> tuple[int, int]:
    """Choose what takes the least work, of tiles that fit the cache if there are any.

    Groups are summed by LINES, and what segments look at beyond their ends is widened anew.
    """
    choices = _choices(groups, lanes)
    fitting = [cut for cut in choices if (cut[1] + view) * channels * VECTOR_BYTES <= TILE_BYTES]
    return min(fitting or choices[-1:], key=lambda cut: cut[0] * (4 * ceil(cut[1] / LINES) * LINES + view))


def _met(numbers: NDArray[np.intp], starts: NDArray[np.intp], length: int) -> NDArray[np.intp]:
    """Give the places in a widened tile of `numbers` of the row, counted from where the tile begins."""
    step = numbers[:, None] - starts
    met = (step >= 0) & (step < length)
    return step[met] * len(starts) + np.broadcast_to(np.arange(len(starts)), step.shape)[met]


def _runs(runs: Sequence[Run], number: Number, *, fold: bool) -> Runs:
    """Tabulate runs; with `fold`, what equal taps meet may be added before it is multiplied.

    Samples that are infinite, or nearly so, would make a difference.
    """
    return Runs(
        np.array([weight for run in runs for weight in run.weights], number),
        np.cumsum([0, *(len(run.weights) for run in runs)]),
        np.array([run.first for run in runs], np.intp),
        np.array([len(run.weights) // 2 if fold and run.weights == run.weights[::-1] else 0 for run in runs], np.intp),
    )
