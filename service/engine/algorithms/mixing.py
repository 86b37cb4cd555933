"""Channel mixing: windows times the matrix of the weights, read where they are; see loops/mixing.py."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import product
from math import ceil
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.engine.algorithms.arrays import aligned, bytes_in
from service.engine.algorithms.base import Task
from service.engine.algorithms.rates import rates
from service.engine.algorithms.ready import ready
from service.engine.algorithms.strips import SLACK, rows_of_bytes, source_bytes
from service.engine.loops.lanes import KINDS, VECTOR_BYTES
from service.engine.loops.mixing import (
    FEW,
    HALF,
    MANY,
    NARROW,
    RUN,
    RUNS,
    WHOLE,
    Lines,
    Place,
    Weights,
    compile_for,
    mix,
)
from service.engine.machine import parallel
from service.engine.machine.compiled import Kit
from service.engine.steps import Conv2d
from service.engine.steps.borders import indices
from service.engine.steps.geometry import field_of_view

STRIP_BYTES = 1 << 18
"""Of a strip, about: half of a second-level cache, which holds weights and results as well."""
PIECES = 16
"""So many strips, if none is lower than FEWEST_ROWS: a few threads then end at about the same time."""
FEWEST_ROWS = 4
"""Of the output in a strip, however long its rows are; rows above and below it are laid again for the next one."""
LANES = VECTOR_BYTES // 4
"""By which the sums of the last pixel may be too long."""
BLOCK_BYTES = 512
"""Of the table of blocks while it is made; more than it takes."""
HIGHEST = {"uint8": 255, "uint16": 65535, "float32": 1, "float64": 1}
"""To which results are clipped if they are rounded."""


class Block(NamedTuple):
    """Outputs of a group that are summed at once: `used` of them from `output` on, in `lanes`."""

    kind: int
    lanes: int
    output: int
    used: int


@dataclass(frozen=True)
class Form:
    """How a task is laid out; sizes in samples, heights in rows.

    A strip has the padded rows of `height` rows of output: `taps` for the first, `spacing` apart.
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
        # Between the rows of a tall window there may be so many others that it is laid by itself.
        alone = height * down < (height - 1) * stride + view
        strips = rows if alone else ceil(rows / height)
        return cls(
            step,
            _blocks(len(step.weight) // step.groups, VECTOR_BYTES // number, NARROW if _narrow(step) else WHOLE),
            strips,
            1 if alone else ceil(rows / strips),
            step.dilation[0] if alone else 1,
            down if alone else view,
            pitch,
        )

    def straight(self, task: Task) -> bool:
        """Say whether the sums are what is stored, and all lanes are used."""
        full = all(block.used == block.lanes for block in self.blocks)
        return full and self.step.divisor == 1 and task.target == task.arithmetic

    @property
    def lines(self) -> int:
        return (self.height - 1) * self.step.stride[0] + self.taps

    @property
    def lanes(self) -> int:
        """Count the numbers of one pixel among the sums.

        Lanes that are not used reach into the outputs of the next block or pixel, which must come after them.
        """
        last = self.blocks[-1]
        return self.step.out_channels + (0 if self.step.groups == 1 else last.lanes - last.used)

    @property
    def apart(self) -> int:
        """Count the samples from a window to the next."""
        return self.step.stride[1] * self.step.in_channels

    @property
    def strip(self) -> int:
        """Count the samples of a strip and those that windows beyond the end of a narrow row reach over."""
        return self.lines * self.pitch + FEW * self.apart

    @property
    def products(self) -> int:
        """Count the products of one pixel, those of lanes that are not used among them."""
        return self.step.groups * self.window * sum(block.lanes for block in self.blocks)

    @property
    def window(self) -> int:
        """Count the samples of a window."""
        return self.step.weight.size // len(self.step.weight)

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
        # The outputs of one group come before those of the next one, but the last of a pixel before its first.
        blocks = self.blocks if step.groups > 1 else self.blocks[::-1]
        for group, block in product(range(step.groups), blocks):
            output = group * (outputs // step.groups) + block.output
            some = weight[output : output + block.used]
            place = packed[first : first + self.window * block.lanes].reshape(self.window, block.lanes)
            place[:, : block.used] = some.transpose(2, 3, 1, 0).reshape(self.window, block.used)
            table.append((block.kind, group * per_group, first, output))
            first += place.size
        bias, none = np.zeros((2, self.lanes + LANES), number)
        if step.bias is not None:
            bias[: len(step.bias)] = step.bias
        divides = step.divisor != 1
        return Weights(
            packed,
            self.offsets(),
            np.array(table, np.int64),
            none if divides else bias,
            number.type(step.divisor),
            np.tile(bias[: self.lanes], MANY) if divides else none,
        )


class Mixing:
    name = "mixing"
    kits = (
        Kit("mixing float32", 2, partial(compile_for, np.float32)),
        Kit("mixing float64", 3, partial(compile_for, np.float64)),
    )

    def needs(self, task: Task) -> tuple[str, ...]:
        return (f"mixing {task.arithmetic}",)

    def accepts(self, task: Task) -> bool:
        return isinstance(task.step, Conv2d) and not task.step.shared

    def seconds(self, task: Task) -> float:
        form, out = Form.of(task), task.output
        whole, rest = divmod(out.width, MANY)
        parts = ceil(rest / FEW)
        vectors = sum(rates().mixing_half if block.kind == HALF else rates().mixing_vector for block in form.blocks)
        summed = out.height * (whole * MANY + parts * FEW)
        calls = out.height * (whole + parts)
        return (
            rates().call
            + rates().mixing_call
            + form.step.weight.size * rates().mixing_weight
            + form.strips * form.lines * form.pitch * rates().mixing_lay
            + calls * form.step.groups * len(form.blocks) * rates().mixing_block
            + (0 if form.straight(task) else calls * rates().mixing_part)
            + summed * form.step.groups * form.window * vectors
            + out.samples * (rates().mixing_store if task.target == task.arithmetic else rates().mixing_round)
        )

    def workspace(self, task: Task, threads: int) -> int:
        form, number = Form.of(task), np.dtype(task.arithmetic).itemsize
        own = number * (form.strip + MANY * form.lanes + LANES)
        weights = number * (form.products + 2 * form.step.weight.size + (MANY + 3) * form.lanes) + 32 * form.window
        table = BLOCK_BYTES * form.step.groups * len(form.blocks)
        positions = 8 * 4 * (sum(task.shape[:2]) + sum(form.step.padding))
        return min(threads, form.strips) * own + weights + table + positions + SLACK

    def apply(self, task: Task, image: NDArray[Any], threads: int) -> NDArray[Any]:
        form, lines, weights = _plan(task)
        number, high = weights.weights.dtype, weights.weights.dtype.type(HIGHEST[task.target])
        result, out = aligned(task.output, task.target, np.empty), task.output
        straight = form.straight(task)
        place = Place(rows_of_bytes(result), KINDS[task.target], out.width, out.channels, form.lanes, straight, high)
        source, kind, counter = source_bytes(image), KINDS[task.source], np.zeros(1, np.int64)

        def work(_: int) -> None:
            memory = aligned((form.strip,), number)
            strip = memory[: form.lines * form.pitch].reshape(form.lines, form.pitch)
            sums = aligned((MANY * form.lanes + LANES,), number)
            mix(source, kind, lines, form.apart, weights, place, form.strips, counter, strip, sums)

        parallel.each(work, range(min(threads, form.strips)), threads)
        return result


class Plan(NamedTuple):
    form: Form
    lines: Lines
    weights: Weights

    @property
    def nbytes(self) -> int:
        return bytes_in(self.lines, self.weights)


@ready
def _plan(task: Task) -> Plan:
    form = Form.of(task)
    step = form.step
    lines = Lines(
        indices(task.shape.height, step.padding.vertical, step.padding_mode),
        indices(task.shape.width, step.padding.horizontal, step.padding_mode),
        step.padding.left,
        task.shape.channels,
        np.dtype(task.arithmetic).type(step.padding_value if step.padding_mode == "constant" else 0),
        step.stride[0],
        form.spacing,
        form.taps,
    )
    return Plan(form, lines, form.weights(task))


def _narrow(step: Conv2d) -> bool:
    """Say whether windows are those of NARROW blocks, and there are registers for them."""
    down, across = step.kernel_size
    beside_another = step.groups == 1 and (step.dilation[1] == 1 or across == 1)
    return beside_another and (down, across * step.in_channels) == (RUNS, RUN) and VECTOR_BYTES == 64


def _blocks(outputs: int, vector: int, whole: int) -> list[Block]:
    """Cut the outputs of a group into blocks of one vector, of kind `whole`, and the last of half a one if it fits."""
    blocks = []
    for output in range(0, outputs, vector):
        used = min(outputs - output, vector)
        kind, lanes = (whole, vector) if 2 * used > vector else (HALF, vector // 2)
        blocks.append(Block(kind, lanes, output, used))
    return blocks
