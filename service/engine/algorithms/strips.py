"""Cut an output into strips of rows, lay them out, and describe what surrounds the image.

The input rows that a strip reads are widened to floats. A strip stays in the second-level cache between being filled
and being read, and no image is ever widened as a whole.
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
from service.engine.loops.convolution import Places, Shapes
from service.engine.loops.rows import AS_THEY_ARE, BEYOND, EACH, SCALED, SHIFTED, Finish
from service.engine.loops.samples import KINDS
from service.engine.loops.sums import TOGETHER
from service.engine.steps.borders import indices
from service.engine.steps.geometry import Padding, PaddingMode, Shape

Positions = NDArray[np.signedinteger[Any]]

STRIP_BYTES = 1 << 18
"""Approximate size of a strip: half of a small second-level cache."""
SHARE_BYTES = 1 << 17
PIECES = 8
"""Number of pieces, if none is smaller than SHARE_BYTES: a few threads then end at about the same time."""
VIEWS = 8
"""Height of a piece in multiples of its view, if possible: rows that it reads beyond its own are widened twice."""
LINE = 32
"""Numbers that fill one cache line or, as floats, two or four."""
FEWEST_ROWS = 8
"""Fewest rows of output in a strip, however long they are."""
MOST_ROWS = 64
"""Most rows of output in a piece, unless its window is high."""
SPARE = 3 * LINE
"""Numbers that go to a plane at once, if they are split by threes."""
BLOCK = 512
"""Most columns that are summed at once."""
BLOCK_STEP = 64
"""Blocks are multiples of this: four vectors of floats, of the widest kind."""
BLOCK_NUMBERS = 4096
"""Most sums of all planes in a block, unless the block has the fewest columns."""
BOX_BLOCK = 1536
"""Columns in a block of running sums: four rows of floats fit into a first-level cache."""
TAP_BYTES = 256
"""Upper bound for a tap's share of the tables and of the lists that they are made from."""
FURTHEST_SHIFT = 14
"""Most bits by which a 16-bit integer is shifted."""
POSITION_BYTES = 32
"""Upper bound for the indices of a padded row or column while they are made."""
SHUFFLED = {2, 3, 6}
"""Numbers of planes for which the loops have shuffles; other numbers go sample by sample."""
SLACK = 1 << 16
"""Upper bound for small arrays, in bytes."""


def padded(columns: int) -> int:
    """Round up to an odd number of lines, lest rows evict each other from the cache."""
    return (ceil(columns / LINE) | 1) * LINE


@dataclass(frozen=True)
class Layout:
    """How an input row is laid out: columns of `channels` samples each, dealt out to `phases`.

    Each channel of a phase is a plane of its own, or all channels share one if they stay `together`. `width` counts the
    padded columns.
    """

    channels: int
    phases: int
    width: int
    together: bool = False

    @property
    def unit(self) -> int:
        """Count the numbers that stay side by side."""
        return self.channels if self.together else 1

    @property
    def dealt(self) -> int:
        """Count the numbers that a plane gets from the row."""
        return ceil(self.width / self.phases) * self.unit

    @property
    def length(self) -> int:
        """Count the numbers from one plane to the next."""
        return padded(self.dealt + (SPARE if self.together and self.phases > 1 else 0))

    @property
    def planes(self) -> int:
        return self.phases * self.channels // self.unit

    @property
    def pitch(self) -> int:
        """Count the numbers of a row."""
        return self.length * self.planes

    def offset(self, column: int, channel: int = 0) -> int:
        if self.together:
            return column % self.phases * self.length + column // self.phases * self.channels + channel
        return ((column % self.phases) * self.channels + channel) * self.length + column // self.phases


class Outputs(NamedTuple):
    """Rows of the output: `columns` numbers of each of `planes` planes, interleaved in groups of `unit`.

    The `phases` alternate down the rows.
    """

    planes: int
    columns: int
    unit: int = 1
    phases: int = 1

    @property
    def beside(self) -> int:
        """Count the numbers from one plane of sums along a row to the next."""
        return padded(self.columns)

    @property
    def block(self) -> int:
        """Count the columns that are summed at once."""
        step = BLOCK_STEP * self.unit
        return max(1, min(BLOCK, BLOCK_NUMBERS // self.planes) // step) * step


@dataclass(frozen=True)
class Cut:
    """`rows` rows of output in pieces of `piece` rows; the last may be smaller. A thread makes `height` rows at once.

    A strip begins at `step` times its first row. It spans `view` rows for the first row of output, and `step` more for
    each further one. Rows of output `spacing` / `step` apart read input rows `spacing` apart, as do the taps of one
    column, so they share these rows.
    """

    rows: int
    piece: int
    height: int
    step: int
    view: int
    spacing: int

    @classmethod
    def of(cls, rows: int, step: int, view: int, spacing: int, row_bytes: int) -> Cut:
        """Cut `rows`; `spacing` is a multiple of `step`."""
        together = TOGETHER * spacing // step

        def whole(height: int) -> int:
            return ceil(height / together) * together

        high = min(max(MOST_ROWS, VIEWS * view // step), ceil(rows / PIECES))
        piece = whole(max(high, SHARE_BYTES // row_bytes, FEWEST_ROWS))
        fitting = (STRIP_BYTES // row_bytes - view) // step + 1
        height = whole(max(FEWEST_ROWS, view // step, fitting))
        return cls(rows, piece, min(height, piece, whole(rows)), step, view, spacing)

    @property
    def count(self) -> int:
        return ceil(self.rows / self.piece)

    @property
    def highest(self) -> int:
        """Count the rows of a strip."""
        return (self.height - 1) * self.step + self.view

    def edges(self) -> NDArray[np.intp]:
        """Return the first row of each piece, and the end of the last."""
        return np.minimum(np.arange(self.count + 1) * self.piece, self.rows)


class Rim(NamedTuple):
    """The content of each padded row and column: the index of a sample, or -1 for `value`.

    The image fills `columns` from `first` on; a column is one sample of each of `channels`.
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
        places = columns.astype(np.int32)  # a picture may be one long row: nothing wider than what is kept
        if interleaved:
            samples: NDArray[np.int32] = np.add(places[:, None] * channels, np.arange(channels), dtype=np.int32)
            samples[places < 0] = -1
            places = samples.reshape(-1)
            first *= channels
            channels = 1
        outside = np.dtype(number).type(value)
        return cls(rows.astype(np.int32), places, first, channels, outside)

    @classmethod
    def padded(
        cls, shape: Shape, padding: Padding, mode: PaddingMode, value: float, number: Number, *, interleaved: bool
    ) -> Rim:
        """Make the rim that `mode` asks for around an image of `shape`."""
        rows = indices(shape.height, padding.vertical, mode)
        columns = indices(shape.width, padding.horizontal, mode)
        outside = value if mode == "constant" else 0.0
        return cls.of(rows, columns, padding.left, shape.channels, outside, number, interleaved=interleaved)


def shapes(task: Task, phases: int) -> Shapes:
    """Collect what loops need to know of the image and the result, which has `phases` down its rows."""
    kinds = KINDS[task.source], KINDS[task.target]
    (rows, pixels, channels), (out_rows, out_pixels, out_channels) = task.shape, task.output
    row_bytes, out_row_bytes = pixels * channels << kinds[0], out_pixels * out_channels << kinds[1]
    return Shapes(rows, row_bytes, kinds[0], out_rows, out_row_bytes, kinds[1], phases)


def source_bytes(image: NDArray[Any]) -> NDArray[np.uint8]:
    """View (H, W, C) as (H, bytes of a row), always read-only: a loop would be compiled again for a second type."""
    view = rows_of_bytes(image)
    view.flags.writeable = False
    return view


def rows_of_bytes(image: NDArray[Any]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(image).reshape(len(image), -1).view(np.uint8)


def finish(
    task: Task, number: Number, divisors: list[float], bias: list[float], norm: int = 0, places: int = 0
) -> Finish:
    """Describe how to finish the sums of one pixel's planes, which are 2**`places` times too large."""
    exact = [_is_power_of_two(divisor) for divisor in divisors]
    divided = [1.0 if power else d for d, power in zip(divisors, exact, strict=True)]
    scale = [2.0**-places / d if power else 2.0**-places for d, power in zip(divisors, exact, strict=True)]
    alike = not norm and all(len({*each}) == 1 for each in (divided, scale, bias))
    shift = 1 - frexp(scale[0])[1] if all(exact) and len({*scale}) == 1 and not any(bias) and scale[0] > 0 else -1
    if shift > FURTHEST_SHIFT:
        shift = -1
    way = SCALED if alike else EACH
    if alike and shift == 0:
        way = AS_THEY_ARE
    elif alike and shift > 0 and number == "int16" and task.target == "uint8":
        way = SHIFTED
    divisor, factor, added = (np.array(values, task.arithmetic) for values in (divided, scale, bias))
    return Finish(divisor, factor, added, norm, way, shift)


def storing_seconds(samples: int, planes: int) -> float:
    """Predict the time to interleave and store `samples` results of `planes` planes."""
    return samples * rates().store_sample + weaving_seconds(samples, planes)


def weaving_seconds(samples: int, planes: int) -> float:
    """Predict the time to interleave samples of planes, or to split them into planes."""
    if planes == 1:
        return 0.0
    return samples * (rates().weave_sample if planes in SHUFFLED else rates().weave_sample_apart)


def _is_power_of_two(divisor: float) -> bool:
    return abs(frexp(divisor)[0]) == 0.5


def places(
    cut: Cut, layout: Layout, outputs: Outputs, number: Number, *, along: bool, halo: int | None = None
) -> Places:
    """Lay out a thread's scratch memory; `halo` is what a box needs beside a block, None if there is no box."""
    beyond = BEYOND // np.dtype(number).itemsize
    row = layout.pitch + layout.planes * beyond
    box = halo is not None
    halo = halo or 0
    block = box_block(halo) if box else outputs.block
    sizes = (
        row if along or layout.planes > 1 else 0,
        row if along and layout.planes > 1 else 0,
        cut.highest * (outputs.planes * outputs.beside if along else layout.pitch),
        block if box else outputs.planes * TOGETHER * block,
        2 * (block + halo + beyond) if box else outputs.planes * TOGETHER * block if outputs.planes > 1 else 0,
    )
    starts, end = [], 0
    for size in sizes:
        starts.append(end)
        end += ceil((size + beyond) / LINE) * LINE if size else 0
    row_at, dealt, strip, sums, joined = starts
    return Places(row_at, dealt, strip, sums, joined, end)


def box_block(halo: int) -> int:
    """Count the columns of running sums made at once."""
    return ceil(max(BOX_BLOCK, 2 * halo) / BLOCK_STEP) * BLOCK_STEP


def workspace(places: Places, cut: Cut, layout: Layout, threads: int, number: Number, taps: int) -> int:
    """Bound the bytes of all threads' own memory, of positions, and of `taps` taps."""
    own = np.dtype(number).itemsize * places.size
    positions = POSITION_BYTES * (layout.width * layout.channels + cut.rows * cut.step + cut.view)
    return min(threads, cut.count) * own + positions + taps * TAP_BYTES + SLACK
