"""An output cut into strips of rows: for each, the rows of the input that it looks at are widened to floats.

A strip stays in the second-level cache between being filled and being read, and no image is ever widened as a whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, frexp, prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.engine import parallel
from service.engine.algorithms.base import Task
from service.engine.algorithms.runs import Number
from service.engine.borders import indices
from service.engine.geometry import Padding, PaddingMode
from service.engine.loops.convolution import BESIDE, KINDS, TOGETHER, Finish, Taps, correlate, widen
from service.engine.rates import RATES

Positions = NDArray[np.int32]

STRIP_BYTES = 3 << 18
"""Of a strip, about: three quarters of a second-level cache."""
SHARE_BYTES = 1 << 17
PIECES = 8
"""So many strips, if none is smaller than that: a few threads then end at about the same time."""
LINE = 32
"""Numbers of one cache line or, of floats, of two or four."""
FEWEST_ROWS = 16
"""Of the output in a strip, however long its rows are."""
BLOCK_BYTES = 1 << 15
"""Of the sums of one row in a block of columns; of those of all planes together as far as SHORTEST allows."""
SHORTEST = 256
"""Columns of a block: the cost of a call weighs more on shorter ones."""
TAP_BYTES = 256
"""Of the tables of taps and, while these are made, of lists; more than it takes."""
POSITION_BYTES = 32
"""Of the indices of a padded row or column, while these are made."""
SHUFFLED = {2, 3, 4, 6}
"""Planes for which the loops have shuffles; those of other numbers go sample by sample."""
SLACK = 1 << 16
"""Bytes of small arrays."""


@dataclass(frozen=True)
class Layout:
    """How the rows of a strip are laid out: `channels` interleaved in the source, columns dealt out to `phases`.

    `width` counts the padded columns.
    """

    channels: int
    phases: int
    width: int

    @property
    def length(self) -> int:
        """Count the floats of one plane of a row: an odd number of lines, lest rows stand in each other's way."""
        return (ceil(self.width / self.phases / LINE) | 1) * LINE

    @property
    def pitch(self) -> int:
        """Count the floats of a row."""
        return self.length * self.phases * self.channels

    def offset(self, column: int, channel: int = 0) -> int:
        return ((column % self.phases) * self.channels + channel) * self.length + column // self.phases


class Piece(NamedTuple):
    """Some of the rows that are cut: `rows` from `first` on."""

    first: int
    rows: int


@dataclass(frozen=True)
class Cut:
    """`rows` rows of output in `count` strips of nearly equal height; each begins at `step` times its first row.

    A strip reaches over `view` rows for the first row of output, and `step` more for each other one. Rows of output
    `apart` apart look at rows of input `spacing` apart, and taps of one column too, so that they share them; `apart` is
    0 where a strip has too few rows for that.
    """

    rows: int
    count: int
    step: int
    view: int
    spacing: int
    apart: int

    @classmethod
    def of(cls, rows: int, step: int, view: int, spacing: int, row_bytes: int) -> Cut:
        """Cut `rows`; `spacing` is a multiple of `step`."""
        apart = spacing // step
        fitting = min(
            (STRIP_BYTES // row_bytes - view) // step + 1,
            max(ceil(rows / PIECES), (SHARE_BYTES // row_bytes - view) // step + 1),
        )
        height = max(FEWEST_ROWS, 2 * TOGETHER * apart if apart <= FEWEST_ROWS else 0, view // step, fitting)
        count = ceil(rows / height)
        return cls(rows, count, step, view, spacing, apart if rows // count >= TOGETHER * apart else 0)

    @property
    def highest(self) -> int:
        return (ceil(self.rows / self.count) - 1) * self.step + self.view

    def pieces(self) -> list[Piece]:
        edges = [self.rows * index // self.count for index in range(self.count + 1)]
        return [Piece(begin, end - begin) for begin, end in pairwise(edges)]


@dataclass(frozen=True, eq=False)
class Source:
    """An image, (H, bytes), and, for each padded row and column, the one that stands there, or -1 for `value`."""

    image: NDArray[np.uint8]
    kind: int
    rows: Positions
    columns: Positions
    first: int
    """The column from which on the whole image stands."""
    value: float

    def widened(self, piece: Piece, cut: Cut, layout: Layout, strip: NDArray[Any]) -> None:
        begin = piece.first * cut.step
        rows = self.rows[begin : begin + (piece.rows - 1) * cut.step + cut.view]
        value = strip.dtype.type(self.value)
        target = strip[: len(rows)]
        widen(self.image, self.kind, rows, self.columns, self.first, layout.channels, layout.phases, value, target)


def source(image: NDArray[Any], padding: Padding, mode: PaddingMode, value: float, *, interleaved: bool) -> Source:
    """Give `image` (H, W, C) its rim; `interleaved` takes it for one channel of W * C columns."""
    height, width, channels = image.shape
    columns = indices(width, padding.horizontal, mode)
    first = padding.left
    if interleaved:
        samples = columns[:, None] * channels + np.arange(channels)
        columns = np.where(columns[:, None] < 0, -1, samples).reshape(-1)
        first *= channels
    return Source(
        source_bytes(image),
        KINDS[image.dtype.name],
        indices(height, padding.vertical, mode).astype(np.int32),
        columns.astype(np.int32),
        first,
        value if mode == "constant" else 0.0,
    )


def source_bytes(image: NDArray[Any]) -> NDArray[np.uint8]:
    """View (H, W, C) as (H, bytes of a row), always read-only: for arrays of two kinds a loop is compiled twice."""
    view = rows_of_bytes(image)
    view.flags.writeable = False
    return view


def rows_of_bytes(image: NDArray[Any]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(image).reshape(len(image), -1).view(np.uint8)


def block(planes: int, number: np.dtype[Any]) -> int:
    """Count the columns of a block."""
    return max(SHORTEST, BLOCK_BYTES // number.itemsize // planes)


def finish(task: Task, divisors: list[float], bias: list[float], norm: int = 0) -> Finish:
    """Say what becomes of the sums of the planes of one pixel."""
    number = np.dtype(task.arithmetic).type
    exact = [_is_power_of_two(divisor) for divisor in divisors]
    return Finish(
        np.array([1.0 if power else d for d, power in zip(divisors, exact, strict=True)], task.arithmetic),
        np.array([1 / d if power else 1.0 for d, power in zip(divisors, exact, strict=True)], task.arithmetic),
        np.array(bias, task.arithmetic),
        len({*divisors}) == len({*bias}) == 1 and (norm == 0 or (divisors[0], bias[0]) == (1, 0)),
        number(np.iinfo(task.target).max if np.dtype(task.target).kind == "u" else 1),
        norm,
    )


def storing_seconds(samples: int, planes: int) -> float:
    """Predict the time in which `samples` results of `planes` planes are put beside one another and stored."""
    woven = 0.0 if planes == 1 else RATES.weave_sample if planes in SHUFFLED else RATES.weave_sample_apart
    return samples * (RATES.store_sample + woven)


def _is_power_of_two(divisor: float) -> bool:
    return abs(frexp(divisor)[0]) == 0.5


class Sums(NamedTuple):
    """What is computed from every strip: rows `first`, `first` + `stride`, ... of the output, `rows` in all.

    A row is `columns` times one sample of each of `planes` planes. The taps of `along`, if any, are for the rows that
    come of `down`.
    """

    down: Taps
    along: Taps
    finish: Finish
    planes: int
    columns: int
    rows: int
    first: int = 0
    stride: int = 1


def compute(
    source: Source, cut: Cut, layout: Layout, all_sums: Sequence[Sums], result: NDArray[Any], threads: int
) -> None:
    """Fill `result` (H', W', C') strip by strip. Where the strips end does not depend on `threads`."""
    out, kind = rows_of_bytes(result), KINDS[result.dtype.name]
    numbers, arithmetic = all_sums[0].down.weights.dtype, all_sums[0].finish.scale.dtype
    planes = all_sums[0].planes
    between = TOGETHER if any(len(sums.along.offsets) for sums in all_sums) else 0
    pitch, apart = cut.step * layout.pitch, max(1, cut.apart)
    idle: list[tuple[NDArray[Any], ...]] = []

    def fill(piece: Piece) -> None:
        try:
            strip, *scratch = own = idle.pop()
        except IndexError:
            shapes = (
                ((cut.highest, layout.pitch), numbers),
                ((planes, TOGETHER, block(planes, numbers) + BESIDE), numbers),
                ((planes * block(planes, numbers),), arithmetic),
                ((between, layout.pitch), numbers),
            )
            strip, *scratch = own = tuple(aligned(shape, number) for shape, number in shapes)
        source.widened(piece, cut, layout, strip)
        for sums in all_sums:
            first, count = sums.first + piece.first * sums.stride, min(piece.rows, sums.rows - piece.first)
            correlate(
                strip.reshape(-1), pitch, apart, sums.down, sums.along, sums.finish, out, kind,
                first, sums.stride, count, sums.columns, *scratch,
            )  # fmt: skip
        idle.append(own)

    parallel.each(fill, cut.pieces(), threads)


def aligned(shape: tuple[int, ...], number: np.dtype[Any]) -> NDArray[Any]:
    """Make an array of zeros that begins with a cache line."""
    size = prod(shape)
    memory = np.zeros(size + 64 // number.itemsize, number)
    skipped = -memory.ctypes.data % 64 // number.itemsize
    return memory[skipped : skipped + size].reshape(shape)


def workspace(
    task: Task, cut: Cut, layout: Layout, planes: int, threads: int, *, number: Number, taps: int, twice: bool
) -> int:
    """Bound the bytes of strips, accumulators and rows in between for each thread, of positions, and of `taps` taps."""
    rows = cut.highest + (TOGETHER if twice else 0) + 1
    kind, columns = np.dtype(number), block(planes, np.dtype(number))
    own = kind.itemsize * (rows * layout.pitch + planes * TOGETHER * (columns + BESIDE))
    own += np.dtype(task.arithmetic).itemsize * planes * columns
    positions = POSITION_BYTES * (layout.width + cut.rows * cut.step + cut.view)
    return min(threads, cut.count) * own + positions + taps * TAP_BYTES + SLACK
