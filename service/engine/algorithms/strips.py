"""How an output is cut into strips of rows, how these are laid out, and what surrounds the image.

For each strip the rows of the input that it looks at are widened to floats. It stays in the second-level cache between
being filled and being read, and no image is ever widened as a whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, frexp
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.engine.algorithms.base import Task
from service.engine.algorithms.rates import rates
from service.engine.algorithms.runs import Number
from service.engine.loops.convolution import BLOCK, BLOCK_BYTES, Finish, Shapes
from service.engine.loops.lanes import KINDS
from service.engine.loops.sums import SPAN_BYTES, TOGETHER
from service.engine.steps.borders import indices
from service.engine.steps.geometry import Padding, PaddingMode, Shape

Positions = NDArray[np.signedinteger[Any]]

STRIP_BYTES = 1 << 20
"""Of a strip, about: a second-level cache."""
SHARE_BYTES = 1 << 17
PIECES = 8
"""So many strips, if none is smaller than that: a few threads then end at about the same time."""
LINE = 32
"""Numbers of one cache line or, of floats, of two or four."""
FEWEST_ROWS = 16
"""Of the output in a strip, however long its rows are."""
SPARE_BYTES = TOGETHER * 8 * SPAN_BYTES
"""For spans of numbers of two bytes that are stored in eight."""
TAP_BYTES = 256
"""Of the tables of taps and, while these are made, of lists; more than it takes."""
POSITION_BYTES = 32
"""Of the indices of a padded row or column, while these are made."""
SHUFFLED = {2, 3, 4, 6}
"""Planes for which the loops have shuffles; those of other numbers go sample by sample."""
FURTHEST_SHIFT = 14
"""Of integers of 16 bits."""
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


@dataclass(frozen=True)
class Cut:
    """`rows` rows of output in `count` strips of nearly equal height; each begins at `step` times its first row.

    A strip reaches over `view` rows for the first row of output, and `step` more for each other one. Rows of output
    `spacing` / `step` apart look at rows of input `spacing` apart, and taps of one column too, so that they share them.
    """

    rows: int
    count: int
    step: int
    view: int
    spacing: int

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
        return cls(rows, count, step, view, spacing)

    @property
    def highest(self) -> int:
        return (ceil(self.rows / self.count) - 1) * self.step + self.view

    def edges(self) -> NDArray[np.intp]:
        """Give the first row of each strip, and the end of the last."""
        return np.arange(self.count + 1) * self.rows // self.count


class Rim(NamedTuple):
    """What stands at each padded row and column: the index of a sample, or -1 for `value`.

    The whole image stands in `columns` from `first` on; a column is one sample of each of `channels`.
    """

    rows: NDArray[np.int32]
    columns: NDArray[np.int32]
    first: int
    channels: int
    value: Any

    @classmethod
    def of(
        cls,
        rows: Positions,
        columns: Positions,
        first: int,
        channels: int,
        value: float,
        number: Number,
        *,
        interleaved: bool,
    ) -> Rim:
        """Make a rim of `number`; `interleaved` takes a row for one channel of W * C columns."""
        if interleaved:
            samples = columns[:, None] * channels + np.arange(channels)
            columns = np.where(columns[:, None] < 0, -1, samples).reshape(-1)
            first *= channels
            channels = 1
        outside = np.dtype(number).type(value)
        return cls(rows.astype(np.int32), columns.astype(np.int32), first, channels, outside)

    @classmethod
    def padded(
        cls, shape: Shape, padding: Padding, mode: PaddingMode, value: float, number: Number, *, interleaved: bool
    ) -> Rim:
        """Give an image of `shape` the rim that `mode` asks for."""
        rows = indices(shape.height, padding.vertical, mode)
        columns = indices(shape.width, padding.horizontal, mode)
        outside = value if mode == "constant" else 0.0
        return cls.of(rows, columns, padding.left, shape.channels, outside, number, interleaved=interleaved)


def shapes(task: Task, phases: int) -> Shapes:
    """Say what loops have to know of the image and of the result, which has `phases` down its rows."""
    kinds = KINDS[task.source], KINDS[task.target]
    (rows, pixels, channels), (out_rows, out_pixels, out_channels) = task.shape, task.output
    row_bytes, out_row_bytes = pixels * channels << kinds[0], out_pixels * out_channels << kinds[1]
    return Shapes(rows, row_bytes, kinds[0], out_rows, out_row_bytes, kinds[1], phases)


def source_bytes(image: NDArray[Any]) -> NDArray[np.uint8]:
    """View (H, W, C) as (H, bytes of a row), always read-only: for arrays of two kinds a loop is compiled twice."""
    view = rows_of_bytes(image)
    view.flags.writeable = False
    return view


def rows_of_bytes(image: NDArray[Any]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(image).reshape(len(image), -1).view(np.uint8)


def finish(task: Task, divisors: list[float], bias: list[float], norm: int = 0, places: int = 0) -> Finish:
    """Say what becomes of the sums of the planes of one pixel, which are 2**`places` times too large."""
    number = np.dtype(task.arithmetic).type
    exact = [_is_power_of_two(divisor) for divisor in divisors]
    scale = [2.0**-places / d if power else 2.0**-places for d, power in zip(divisors, exact, strict=True)]
    shift = 1 - frexp(scale[0])[1] if all(exact) and len({*scale}) == 1 and not any(bias) else -1
    return Finish(
        np.array([1.0 if power else d for d, power in zip(divisors, exact, strict=True)], task.arithmetic),
        np.array(scale, task.arithmetic),
        np.array(bias, task.arithmetic),
        number(np.iinfo(task.target).max if np.dtype(task.target).kind == "u" else 1),
        shift if scale[0] > 0 and shift <= FURTHEST_SHIFT else -1,
        norm,
    )


def storing_seconds(samples: int, planes: int) -> float:
    """Predict the time in which `samples` results of `planes` planes are put beside one another and stored."""
    return samples * rates().store_sample + weaving_seconds(samples, planes)


def weaving_seconds(samples: int, planes: int) -> float:
    """Predict the time in which samples of planes are put beside one another, or dealt out to them."""
    if planes == 1:
        return 0.0
    return samples * (rates().weave_sample if planes in SHUFFLED else rates().weave_sample_apart)


def _is_power_of_two(divisor: float) -> bool:
    return abs(frexp(divisor)[0]) == 0.5


def workspace(cut: Cut, layout: Layout, planes: int, threads: int, *, number: Number, taps: int, twice: bool) -> int:
    """Bound the bytes of strips, blocks and rows in between for each thread, of positions, and of `taps` taps."""
    rows = cut.highest + (TOGETHER if twice else 0)
    own = (
        np.dtype(number).itemsize * rows * layout.pitch + planes * TOGETHER * BLOCK_BYTES + 2 * SPARE_BYTES + 8 * BLOCK
    )
    positions = POSITION_BYTES * (layout.width + cut.rows * cut.step + cut.view)
    return min(threads, cut.count) * own + positions + taps * TAP_BYTES + SLACK
