"""An output cut into strips of rows: for each, the rows of the input that it looks at are widened to floats.

A strip stays in the second-level cache between being filled and being read, and no image is ever widened as a whole.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, gcd
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.engine import parallel
from service.engine.algorithms.base import Sample, Task
from service.engine.borders import indices
from service.engine.geometry import Padding, PaddingMode, Pair, Shape
from service.engine.loops.convolution import BESIDE, TOGETHER, Finish, widen
from service.engine.precision import Arithmetic

Positions = NDArray[np.int32]

STRIP_BYTES = 3 << 18
"""Of a strip, about: three quarters of a second-level cache."""
FEWEST_ROWS = 16
"""Of the output in a strip, however long its rows are."""
ACCUMULATORS = 1024
"""Floats of one row in a block of columns; with several planes, of all of them together as far as SHORTEST allows."""
SHORTEST = 256
"""Columns of a block: the cost of a call weighs more on shorter ones."""
SLACK = 1 << 16
"""Bytes for tables of taps and small arrays; more than they take."""


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
        """Count the floats of one plane of a row."""
        return ceil(self.width / self.phases)

    @property
    def pitch(self) -> int:
        """Count the floats of a row."""
        return self.length * self.phases * self.channels

    def offset(self, column: int, channel: int = 0) -> int:
        return ((column % self.phases) * self.channels + channel) * self.length + column // self.phases


class Piece(NamedTuple):
    """Some of the rows that are cut: `count` from `first` on."""

    first: int
    count: int


@dataclass(frozen=True)
class Cut:
    """`rows` rows of output in `count` strips of nearly equal height; each begins at `step` times its first row.

    A strip reaches over `view` rows for the first row of output, and `step` more for each other one. Rows of output
    that are `apart` apart look at rows of input that taps of one column have in common (0: there are no such rows).
    """

    rows: int
    count: int
    step: int
    view: int
    apart: int

    @classmethod
    def of(cls, rows: int, step: int, view: int, spacing: int, row_bytes: int) -> Cut:
        """Cut `rows` for taps `spacing` rows of input apart."""
        apart = spacing // gcd(step, spacing)
        fitting = (STRIP_BYTES // row_bytes - view) // step + 1
        height = max(FEWEST_ROWS, 2 * TOGETHER * apart if apart <= FEWEST_ROWS else 0, view // step, fitting)
        count = ceil(rows / height)
        return cls(rows, count, step, view, apart if rows // count >= TOGETHER * apart else 0)

    @property
    def highest(self) -> int:
        return (ceil(self.rows / self.count) - 1) * self.step + self.view

    def pieces(self) -> list[Piece]:
        edges = [self.rows * index // self.count for index in range(self.count + 1)]
        return [Piece(begin, end - begin) for begin, end in zip(edges, edges[1:], strict=False)]


@dataclass(frozen=True, eq=False)
class Source:
    """An image (H, W * channels) and, for each padded row and column, the one that stands there, or -1 for `value`."""

    image: NDArray[Any]
    rows: Positions
    columns: Positions
    first: int
    """The column from which on the whole image stands."""
    value: float

    def widened(self, piece: Piece, cut: Cut, layout: Layout, strip: NDArray[Any]) -> None:
        begin = piece.first * cut.step
        rows = self.rows[begin : begin + (piece.count - 1) * cut.step + cut.view]
        value = strip.dtype.type(self.value)
        widen(
            self.image, rows, self.columns, self.first, layout.channels, layout.phases, value, strip[: len(rows)]
        )


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
        image.reshape(height, width * channels),
        indices(height, padding.vertical, mode).astype(np.int32),
        columns.astype(np.int32),
        first,
        value if mode == "constant" else 0.0,
    )


def block(planes: int) -> int:
    return max(SHORTEST, ACCUMULATORS // planes)


def accumulators(planes: int, arithmetic: Arithmetic) -> NDArray[Any]:
    return np.empty((planes, TOGETHER, block(planes) + BESIDE), arithmetic)


def finish(task: Task, divisors: list[float], bias: list[float], norm: int = 0) -> Finish:
    """Say what becomes of the sums of the planes of one pixel."""
    number = np.dtype(task.arithmetic).type
    exact = [_is_power_of_two(divisor) for divisor in divisors]
    whole = np.dtype(task.target).kind == "u"
    return Finish(
        np.array([1 / d if power else 1.0 for d, power in zip(divisors, exact, strict=True)], task.arithmetic),
        np.array([1.0 if power else d for d, power in zip(divisors, exact, strict=True)], task.arithmetic),
        np.array(bias, task.arithmetic),
        number(0),
        number(np.iinfo(task.target).max if whole else 0),
        whole,
        norm,
    )


def _is_power_of_two(divisor: float) -> bool:
    return abs(np.frexp(divisor)[0]) == 0.5


class Workshop(NamedTuple):
    """What one thread works with: a strip, and arrays that are nobody else's."""

    strip: NDArray[Any]
    scratch: tuple[NDArray[Any], ...]


def each_strip(
    source: Source,
    cut: Cut,
    layout: Layout,
    arithmetic: Arithmetic,
    scratch: Callable[[], tuple[NDArray[Any], ...]],
    work: Callable[[Piece, Workshop], None],
    threads: int,
) -> None:
    """Fill a strip for each piece of the output and let `work` read it. The pieces do not depend on `threads`."""
    idle: list[Workshop] = []

    def process(piece: Piece) -> None:
        try:
            own = idle.pop()
        except IndexError:
            own = Workshop(np.empty((cut.highest, layout.pitch), arithmetic), scratch())
        source.widened(piece, cut, layout, own.strip)
        work(piece, own)
        idle.append(own)

    parallel.each(process, cut.pieces(), threads)


def workspace(task: Task, cut: Cut, layout: Layout, planes: int, threads: int, between: int = 0) -> int:
    """Bound the bytes of the strips, the accumulators and `between` floats more for each thread, and of positions."""
    number = np.dtype(task.arithmetic).itemsize
    own = cut.highest * layout.pitch + planes * TOGETHER * (block(planes) + BESIDE) + between
    positions = 24 * (layout.width + cut.rows * cut.step + cut.view)
    return min(threads, cut.count) * number * own + positions + SLACK


__all__ = ["Cut", "Layout", "Pair", "Piece", "Sample", "Shape", "Source", "Workshop", "each_strip"]
