"""Channel mixing: windows, read in place, times the weight matrix; see loops/mixing.py."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import ceil
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.engine.algorithms.arrays import CACHE_LINE, aligned
from service.engine.algorithms.base import Task
from service.engine.algorithms.calls import Call
from service.engine.algorithms.rates import rates
from service.engine.algorithms.ready import ready
from service.engine.algorithms.strips import SLACK
from service.engine.loops.mixing import PIXELS, Lines, Results, Scratch, Weights, mix
from service.engine.loops.rows import AS_THEY_ARE, BEYOND, Finish
from service.engine.loops.samples import KINDS
from service.engine.loops.vectors import VECTOR_BYTES
from service.engine.machine.compiled import Kit
from service.engine.steps import Conv2d
from service.engine.steps.borders import indices
from service.engine.steps.geometry import Shape, field_of_view
from service.engine.steps.precision import Arithmetic

STRIP_BYTES = 1 << 18
"""Approximate size of a strip: half a second-level cache, which holds weights and results as well."""
PIECES = 16
"""Least number of strips, if each has FEWEST_ROWS: a few threads then end at about the same time."""
FEWEST_ROWS = 4
"""Fewest rows of output in a strip, however long: the rows above and below are laid out again for the next strip."""
SUMS_BYTES = 1 << 15
"""Bytes of sums finished at once: half a first-level cache."""
BLOCK_BYTES = 512
"""Upper bound for a block's share of the table of blocks while the table is made."""


class Block(NamedTuple):
    """Outputs of a group summed at once: `used` outputs from `output` on, in the `lanes` of `vectors` vectors."""

    vectors: int
    lanes: int
    output: int
    used: int


@dataclass(frozen=True)
class Form:
    """How a task is laid out; sizes in samples, heights in rows.

    A strip holds the padded rows for `height` rows of output: `taps` for the first, `spacing` apart.
    """

    step: Conv2d
    blocks: list[Block]
    strips: int
    height: int
    spacing: int
    taps: int
    pitch: int

    @classmethod
    def of(cls, task: Task) -> Form:
        step = task.step
        if not isinstance(step, Conv2d):
            raise TypeError(f"no way to compute a {type(step).__name__}")
        number = np.dtype(task.arithmetic).itemsize
        down = step.kernel_size[0]
        pitch = (task.shape.width + sum(step.padding.horizontal)) * task.shape.channels
        rows, view, stride = task.output.height, field_of_view(down, step.dilation[0]), step.stride[0]
        fitting = (STRIP_BYTES // number // pitch - view) // stride + 1
        height = max(FEWEST_ROWS, min(fitting, max(ceil(rows / PIECES), view // stride)))
        # A tall window may skip so many rows that each row of output gets a strip of its own.
        alone = height * down < (height - 1) * stride + view
        strips = rows if alone else ceil(rows / height)
        return cls(
            step,
            _blocks(len(step.weight) // step.groups, VECTOR_BYTES // number),
            strips,
            1 if alone else ceil(rows / strips),
            step.dilation[0] if alone else 1,
            down if alone else view,
            pitch,
        )

    def straight(self, task: Task) -> bool:
        """Tell whether the sums are stored as they are, with no lanes unused."""
        full = all(block.used == block.lanes for block in self.blocks) and task.output.width >= PIXELS
        return full and self.step.divisor == 1 and task.target == task.arithmetic

    def together(self, task: Task) -> int:
        """Count the pixels finished at once."""
        number = np.dtype(task.arithmetic).itemsize
        several = max(1, SUMS_BYTES // number // max(self.lanes, self.apart) // PIXELS) * PIXELS
        return min(several, ceil(task.output.width / PIXELS) * PIXELS)

    @property
    def lines(self) -> int:
        return (self.height - 1) * self.step.stride[0] + self.taps

    @property
    def lanes(self) -> int:
        """Count the numbers of one pixel among the sums.

        Unused lanes reach into the outputs of the next block or pixel, which must be written after them.
        """
        last = self.blocks[-1]
        return self.step.out_channels + (0 if self.step.groups == 1 else last.lanes - last.used)

    @property
    def apart(self) -> int:
        """Count the samples from one window to the next."""
        return self.step.stride[1] * self.step.in_channels

    @property
    def products(self) -> int:
        """Count the products of one pixel, including those in unused lanes."""
        return self.step.groups * self.window * sum(block.lanes for block in self.blocks)

    @property
    def window(self) -> int:
        """Count the samples of a window."""
        return self.step.weight.size // len(self.step.weight)

    def scratch(self, task: Task) -> tuple[Scratch, int]:
        """Lay out a thread's memory and count its bytes."""
        number = np.dtype(task.arithmetic).itemsize
        samples = self.lines * self.pitch + PIXELS * self.apart
        numbers = 0 if self.straight(task) else self.together(task) * self.lanes + (2 * VECTOR_BYTES + BEYOND) // number
        sums = ceil(samples * number / CACHE_LINE) * CACHE_LINE
        return Scratch(0, samples, self.pitch, sums, numbers), sums + numbers * number

    def offsets(self) -> NDArray[np.int64]:
        down, across = self.step.kernel_size
        rows = np.arange(down) * (self.step.dilation[0] // self.spacing * self.pitch)
        columns = np.arange(across) * (self.step.dilation[1] * self.step.in_channels)
        channels = np.arange(self.step.weight.shape[1])
        return (rows[:, None, None] + columns[:, None] + channels).reshape(-1)

    def weights(self, task: Task) -> Weights:
        step, number = self.step, np.dtype(task.arithmetic)
        packed, weight = aligned((self.products,), number), step.weight.astype(number)
        (outputs, per_group), table, first = step.weight.shape[:2], [], 0
        # Groups come in the order of their outputs; with a single group, a pixel's last block comes first.
        blocks = self.blocks if step.groups > 1 else self.blocks[::-1]
        for group, block in product(range(step.groups), blocks):
            output = group * (outputs // step.groups) + block.output
            some = weight[output : output + block.used]
            place = packed[first : first + self.window * block.lanes].reshape(self.window, block.lanes)
            place[:, : block.used] = some.transpose(2, 3, 1, 0).reshape(self.window, block.used)
            table.append((block.vectors, group * per_group, first, output))
            first += place.size
        bias, divisor = padded_bias(step, self.lanes, number), number.type(step.divisor)
        none = np.zeros_like(bias)
        divided = np.tile(bias[:outputs], self.together(task)) if step.divisor != 1 else none[:0]
        return Weights(packed, self.offsets(), np.array(table), none if step.divisor != 1 else bias, divisor, divided)


def compile_for(number: Arithmetic) -> None:
    """Compile the loop for sums of type `number`."""
    task = Task(Conv2d(np.ones((1, 1, 1, 1))), Shape(1, 1, 1), number, number, number)
    Mixing().apply(task, np.zeros((1, 1, 1), number), 1)


class Mixing:
    name = "mixing"
    kits = (
        Kit("mixing float32", 2, lambda: compile_for("float32")),
        Kit("mixing float64", 3, lambda: compile_for("float64")),
    )

    def needs(self, task: Task) -> tuple[str, ...]:
        return (f"mixing {task.arithmetic}",)

    def accepts(self, task: Task) -> bool:
        return isinstance(task.step, Conv2d) and not task.step.shared

    def seconds(self, task: Task) -> float:
        form, out = Form.of(task), task.output
        summed = out.height * ceil(out.width / PIXELS) * form.step.groups
        vectors = sum(
            rates().mixing_single if block.vectors == 1 else 2 * rates().mixing_vector for block in form.blocks
        )
        return (
            rates().call
            + rates().mixing_call
            + form.step.weight.size * rates().mixing_weight
            + form.strips * form.lines * form.pitch * rates().mixing_lay
            + summed * len(form.blocks) * rates().mixing_block
            + (0 if form.straight(task) else out.height * ceil(out.width / form.together(task)) * rates().mixing_part)
            + summed * PIXELS * form.window * vectors
            + out.samples * (rates().mixing_store if task.target == task.arithmetic else rates().mixing_round)
        )

    def workspace(self, task: Task, threads: int) -> int:
        form, number = Form.of(task), np.dtype(task.arithmetic).itemsize
        own = form.scratch(task)[1] + CACHE_LINE
        weights = number * (form.products + 2 * form.step.weight.size) + 32 * form.window
        biases = number * (form.together(task) + 4) * (form.lanes + 2 * VECTOR_BYTES // number)
        table = BLOCK_BYTES * form.step.groups * len(form.blocks)
        return min(threads, form.strips) * own + weights + biases + table + position_bytes(task) + SLACK

    def apply(self, task: Task, image: NDArray[Any], threads: int) -> NDArray[Any]:
        return _call(task).apply(image, threads)


@ready
def _call(task: Task) -> Call:
    form = Form.of(task)
    scratch, room = form.scratch(task)
    return Call(
        mix,
        lines_of(task, form.step.stride[0], form.spacing, form.taps, form.apart),
        form.weights(task),
        results_of(task, form.strips, form.lanes, form.together(task), straight=form.straight(task)),
        scratch,
        output=task.output,
        target=task.target,
        pieces=form.strips,
        room=room,
    )


def lines_of(task: Task, stride: int, spacing: int, taps: int, apart: int) -> Lines:
    step, shape = task.step, task.shape
    if not isinstance(step, Conv2d):
        raise TypeError(f"no way to compute a {type(step).__name__}")
    return Lines(
        shape.width * shape.channels * np.dtype(task.source).itemsize,
        KINDS[task.source],
        indices(shape.height, step.padding.vertical, step.padding_mode),
        indices(shape.width, step.padding.horizontal, step.padding_mode),
        step.padding.left,
        shape.channels,
        np.dtype(task.arithmetic).type(step.padding_value if step.padding_mode == "constant" else 0),
        stride,
        spacing,
        taps,
        apart,
    )


def position_bytes(task: Task) -> int:
    """Bound the bytes of the indices of padded rows and columns while they are made."""
    step = task.step
    padding = sum(step.padding) if isinstance(step, Conv2d) else 0
    return 8 * 5 * (task.shape.height + task.shape.width + padding)


def results_of(task: Task, strips: int, pitch: int, together: int, *, straight: bool) -> Results:
    (rows, width, outputs), kind = task.output, KINDS[task.target]
    number = np.dtype(task.arithmetic)
    one, none = np.ones(1, number), np.zeros(1, number)
    return Results(
        rows, strips, width, outputs, kind, pitch, together, straight, Finish(one, one, none, 0, AS_THEY_ARE, 0)
    )


def padded_bias(step: Conv2d, lanes: int, number: np.dtype[Any]) -> NDArray[Any]:
    """Return the bias of each lane of a pixel, then two vectors of zeros, as vectors may reach beyond the last lane."""
    bias = np.zeros(lanes + 2 * VECTOR_BYTES // number.itemsize, number)
    if step.bias is not None:
        bias[: len(step.bias)] = step.bias
    return bias


def _blocks(outputs: int, vector: int) -> list[Block]:
    """Cut the outputs of a group into blocks of two vectors; the last block may have one."""
    blocks = []
    for output in range(0, outputs, 2 * vector):
        used = min(outputs - output, 2 * vector)
        vectors = ceil(used / vector)
        blocks.append(Block(vectors, vectors * vector, output, used))
    return blocks
