"""Channel mixing by 3 x 3 windows in fewer products than these have: tiles of results from tiles of samples.

The sums of samples that this takes are no less exact than sums of products: A. Lavin and S. Gray, "Fast algorithms for
convolutional neural networks" (2016), section 5.1. See loops/mixing.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from math import ceil
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.engine.algorithms.arrays import CACHE_LINE, aligned, before_line, bytes_in
from service.engine.algorithms.base import Task
from service.engine.algorithms.mixing import FEWEST_ROWS, HIGHEST, PIECES, STRIP_BYTES
from service.engine.algorithms.rates import rates
from service.engine.algorithms.ready import KEPT_BYTES, ready
from service.engine.algorithms.strips import SLACK, source_bytes
from service.engine.algorithms.work import Counter, Part, Parts, share
from service.engine.loops.lanes import KINDS, VECTOR_BYTES
from service.engine.loops.mixing import Lines, Place, Weights
from service.engine.loops.winograd import SPAN_BYTES, SPANS, TILES, compile_for, mix_tiles
from service.engine.machine.compiled import Kit
from service.engine.steps import Conv2d
from service.engine.steps.borders import OUTSIDE, indices
from service.engine.steps.precision import EXACT_BELOW

SIDE, PLACES = 4, 16
"""Of a tile of samples; of results it is 2."""
KERNEL = np.array([[0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [1, 0, 0], [0, 0, -1]])
"""The transform of a row of weights, in the order in which columns of places are summed, and with their sign."""
ROWS = [2, 0, 1, 3]
"""The same for a column: places of a tile in their order."""
QUARTERS = 4
GROWTH = 16 * QUARTERS
"""What is added up to a sum of a window may be 16 times as large as that could be, and counts quarters."""
STREAM_BYTES = 8 << 20
"""Larger results pass by the caches, which they would not fit into with all else."""


class Form(NamedTuple):
    """Rows of tiles, cut into `strips` of `height` rows at most; `pitch` samples of a padded row.

    `lanes` numbers of each pixel are summed, a multiple of `vector`, for `pixels` of two rows at once.
    """

    step: Conv2d
    rows: int
    columns: int
    strips: int
    height: int
    pitch: int
    vector: int
    lanes: int
    pixels: int

    @classmethod
    def of(cls, task: Task) -> Form:
        step, out, number = task.step, task.output, np.dtype(task.arithmetic).itemsize
        if not isinstance(step, Conv2d):
            raise TypeError(f"no way to compute a {type(step).__name__}")
        rows, columns = ceil(out.height / 2), max(out.width, 2 * TILES) + 2
        vector = VECTOR_BYTES // number
        pitch = ceil(columns * task.shape.channels / vector) * vector
        fitting = STRIP_BYTES // number // pitch // 2 - 1
        height = max(FEWEST_ROWS // 2, min(fitting, ceil(rows / PIECES)))
        strips = ceil(rows / height)
        part = min(step.in_channels, vector)
        pixels = (SPAN_BYTES // number - vector) // part // (2 * TILES) * 2 * TILES
        lanes = ceil(step.out_channels / vector) * vector
        pixels = min(pixels, ceil(out.width / 2 / TILES) * 2 * TILES)
        return cls(step, rows, columns, strips, ceil(rows / strips), pitch, vector, lanes, pixels)

    @property
    def lines(self) -> int:
        return 2 * self.height + 2

    @property
    def products(self) -> int:
        """Count the products of one tile, those of lanes that are not used among them."""
        return PLACES * self.step.in_channels * self.lanes

    def scratch(self, number: np.dtype[Any]) -> Parts:
        """Lay out a strip, the transformed samples, and results that are not whole."""
        return Parts.laid_out(
            Part((self.lines, self.pitch), number, 2 * VECTOR_BYTES),
            Part((SPANS * SPAN_BYTES // number.itemsize,), number),
            Part((2, self.pixels * self.lanes), number),
        )

    def straight(self, task: Task) -> bool:
        """Say whether the sums are what is stored, and all lanes are used."""
        return self.lanes == task.output.channels and self.step.divisor == 1 and task.target == task.arithmetic


class Winograd:
    name = "winograd"
    kits = (
        Kit("winograd float32", 2, partial(compile_for, np.float32)),
        Kit("winograd float64", 3, partial(compile_for, np.float64)),
    )

    def needs(self, task: Task) -> tuple[str, ...]:
        return (f"winograd {task.arithmetic}",)

    def accepts(self, task: Task) -> bool:
        step = task.step
        if not isinstance(step, Conv2d) or step.shared or step.groups > 1:
            return False
        return (step.kernel_size, step.stride, step.dilation) == ((3, 3), (1, 1), (1, 1)) and (
            not task.exact or task.arithmetic == "float64" or _stays_exact(task, step)
        )

    def seconds(self, task: Task) -> float:
        form, inputs, number = Form.of(task), task.shape.channels, np.dtype(task.arithmetic).itemsize
        parts, blocks = ceil(inputs / form.vector), form.lanes // form.vector
        groups = form.rows * ceil(task.output.width / 2 / TILES)
        return (
            rates().call
            + rates().mixing_call
            + (0 if form.products * number <= KEPT_BYTES else form.step.weight.size * rates().winograd_weight)
            + form.strips * form.lines * form.pitch * rates().mixing_lay
            + form.rows * 2 * ceil(form.columns * inputs / form.vector) * rates().winograd_transform
            + groups * parts * blocks * rates().winograd_tiles
            + groups * TILES * PLACES * inputs * blocks * rates().mixing_vector
            + (
                0
                if form.straight(task)
                else 2 * form.rows * ceil(task.output.width / form.pixels) * rates().mixing_part
            )
            + task.output.samples * (rates().mixing_store if task.target == task.arithmetic else rates().mixing_round)
        )

    def workspace(self, task: Task, threads: int) -> int:
        form, number = Form.of(task), np.dtype(task.arithmetic).itemsize
        own = form.scratch(np.dtype(task.arithmetic)).room + CACHE_LINE
        weights = form.products * (8 + 2 * number) + form.step.weight.nbytes
        biases = number * (form.pixels + 6) * form.lanes
        positions = 8 * 5 * (sum(task.shape[:2]) + sum(form.step.padding) + 2 * TILES + 2)
        return min(threads, form.strips) * own + weights + biases + positions + SLACK

    def apply(self, task: Task, image: NDArray[Any], threads: int) -> NDArray[Any]:
        plan = _plan(task)
        row, memory = plan.row_bytes, np.empty(task.output.height * plan.row_bytes + CACHE_LINE, np.uint8)
        first = before_line(memory)
        place = plan.place._replace(out=np.ndarray((task.output.height, row), np.uint8, memory, first))
        source = source_bytes(image)

        def mix(counter: Counter, own: Iterator[NDArray[Any]]) -> None:
            mix_tiles(source, plan.kind, plan.lines, plan.weights, plan.part, place, plan.strips, counter, *own)

        share(mix, plan.parts, plan.strips, threads)
        return np.ndarray(task.output, task.target, memory, first)


class Plan(NamedTuple):
    """What `mix_tiles` is given, but for the arrays of an image; `row_bytes` of the output."""

    kind: int
    lines: Lines
    weights: Weights
    part: int
    place: Place
    strips: int
    parts: Parts
    row_bytes: int

    @property
    def nbytes(self) -> int:
        return bytes_in(self.lines, self.weights)


@ready
def _plan(task: Task) -> Plan:
    form = Form.of(task)
    step, number = form.step, np.dtype(task.arithmetic)
    lines = Lines(
        _positions(task.shape.height, step.padding.vertical, step, 2 * form.rows + 2),
        _positions(task.shape.width, step.padding.horizontal, step, form.columns),
        step.padding.left,
        task.shape.channels,
        number.type(step.padding_value if step.padding_mode == "constant" else 0),
        2,
        1,
        SIDE,
    )
    out = task.output
    row_bytes = out.width * out.channels * np.dtype(task.target).itemsize
    place = Place(
        np.empty((0, row_bytes), np.uint8),
        KINDS[task.target],
        out.width,
        out.channels,
        out.channels,
        form.straight(task),
        number.type(HIGHEST[task.target]),
        out.height * row_bytes > STREAM_BYTES,
    )
    return Plan(
        KINDS[task.source],
        lines,
        _weights(form, number),
        min(step.in_channels, form.vector),
        place,
        form.strips,
        form.scratch(number),
        row_bytes,
    )


def _positions(size: int, padding: tuple[int, int], step: Conv2d, count: int) -> NDArray[np.intp]:
    """Give the padded positions; tiles may go beyond them, up to the first `count`, where nothing is looked at."""
    positions = indices(size, padding, step.padding_mode)
    return np.append(positions, np.full(count - len(positions), OUTSIDE, positions.dtype))


def _weights(form: Form, number: np.dtype[Any]) -> Weights:
    """Transform the weights: in parts of channels (blocks of outputs, columns of places, channels, rows, lanes)."""
    step, vector = form.step, form.vector
    outputs, inputs = step.weight.shape[:2]
    packed, blocks = aligned((form.products,), number), form.lanes // vector
    transformed = np.zeros((form.lanes, inputs, PLACES))
    transformed[:outputs] = step.weight.reshape(outputs, inputs, 9) @ np.kron(KERNEL[ROWS], KERNEL).T
    for channel in range(0, inputs, vector):
        some = transformed[:, channel : channel + vector].reshape(blocks, vector, -1, SIDE, SIDE)
        part = some.transpose(0, 4, 2, 3, 1)
        first = PLACES * channel * form.lanes
        packed[first : first + part.size] = part.reshape(-1)
    bias, none = np.zeros((2, 2 * form.lanes), number)
    if step.bias is not None:
        bias[:outputs] = step.bias
    divides, nowhere = step.divisor != 1, np.zeros(0, np.int64)
    return Weights(
        packed,
        nowhere,
        nowhere.reshape(0, 4),
        none if divides else bias,
        number.type(step.divisor),
        np.tile(bias[:outputs], form.pixels) if divides else none,
    )


def _stays_exact(task: Task, step: Conv2d) -> bool:
    """Say whether sums have no error; the bias is in them from the beginning."""
    reach = step.reach
    if task.source not in {"uint8", "uint16"} or reach.offset_places is None:
        return False
    largest = max(255.0 if task.source == "uint8" else 65535.0, reach.rim)
    sums = GROWTH * reach.gain * abs(step.divisor) * largest + QUARTERS * reach.offset
    return sums * 2.0 ** max(task.places, reach.offset_places) < EXACT_BELOW
