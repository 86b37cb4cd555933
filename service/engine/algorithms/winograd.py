"""Channel mixing by 3 x 3 windows with fewer products than taps: tiles of results from tiles of samples.

The sums of samples that this needs are as exact as sums of products: A. Lavin and S. Gray, "Fast algorithms for
convolutional neural networks" (2016), section 5.1. See loops/winograd.py.
"""

from __future__ import annotations

from math import ceil
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.engine.algorithms.arrays import CACHE_LINE, aligned
from service.engine.algorithms.base import Task
from service.engine.algorithms.calls import Call
from service.engine.algorithms.mixing import (
    FEWEST_ROWS,
    PIECES,
    STRIP_BYTES,
    lines_of,
    padded_bias,
    position_bytes,
    results_of,
)
from service.engine.algorithms.rates import rates
from service.engine.algorithms.ready import KEPT_BYTES, ready
from service.engine.algorithms.strips import SLACK
from service.engine.loops.mixing import Weights
from service.engine.loops.rows import BEYOND
from service.engine.loops.winograd import BESIDE, LANES, PAIR, PLACES, PLANES, SIDE, TILES, Tiles, mix_tiles
from service.engine.machine.compiled import Kit
from service.engine.steps import Conv2d
from service.engine.steps.borders import OUTSIDE
from service.engine.steps.geometry import Shape
from service.engine.steps.precision import EXACT_BELOW

NUMBER = np.dtype(np.float32)
TRANSFORM = np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]])
"""Transforms a column of weights, and likewise a row."""
QUARTERS = 4
GROWTH = 16 * QUARTERS
"""Terms of a window's sum may be 16 times as large as the sum could be, and are multiples of a quarter."""


class Form(NamedTuple):
    """Rows of tiles, cut into `strips` of at most `height` rows; a padded row has `pitch` samples.

    Each pixel has `lanes` sums.
    """

    step: Conv2d
    rows: int
    columns: int
    strips: int
    height: int
    pitch: int
    lanes: int

    @classmethod
    def of(cls, task: Task) -> Form:
        step, out = task.step, task.output
        if not isinstance(step, Conv2d):
            raise TypeError(f"no way to compute a {type(step).__name__}")
        rows, columns = ceil(out.height / 2), max(out.width, BESIDE) + 2
        pitch = ceil(columns * task.shape.channels / LANES) * LANES
        height = max(FEWEST_ROWS // 2, min(STRIP_BYTES // NUMBER.itemsize // pitch // 2 - 1, ceil(rows / PIECES)))
        strips, lanes = ceil(rows / height), ceil(step.out_channels / PAIR) * PAIR
        return cls(step, rows, columns, strips, ceil(rows / strips), pitch, lanes)

    @property
    def lines(self) -> int:
        return 2 * self.height + 2

    @property
    def products(self) -> int:
        """Count the products of one tile, including those in unused lanes."""
        return PLACES * self.step.in_channels * self.lanes

    def scratch(self) -> tuple[Tiles, int]:
        """Lay out a thread's memory and count its bytes."""
        samples = self.lines * self.pitch + 2 * LANES
        span = ceil(BESIDE * self.step.in_channels / PAIR) * PAIR + PAIR
        starts = [0]
        for numbers in (samples, PLANES * span, PLACES * TILES * PAIR, 2 * BESIDE * self.lanes):
            starts.append(starts[-1] + ceil(numbers * NUMBER.itemsize / CACHE_LINE) * CACHE_LINE)
        strip, planes, sums, rows, end = starts
        return Tiles(strip, samples, self.pitch, planes, span, sums, rows), end + BEYOND

    def straight(self, task: Task) -> bool:
        """Tell whether the sums are stored as they are, with no lanes unused."""
        full = self.lanes == task.output.channels and task.output.width >= BESIDE
        return full and self.step.divisor == 1 and task.target == task.arithmetic


def compile_for() -> None:
    task = Task(Conv2d(np.ones((1, 1, 3, 3))), Shape(3, 3, 1), "float32", "float32", "float32")
    Winograd().apply(task, np.zeros((3, 3, 1), np.float32), 1)


class Winograd:
    name = "winograd"
    kits = (Kit("winograd", 2, compile_for),)

    def needs(self, task: Task) -> tuple[str, ...]:  # noqa: ARG002 -- one interface
        return ("winograd",)

    def accepts(self, task: Task) -> bool:
        step = task.step
        if not isinstance(step, Conv2d) or step.shared or step.groups > 1 or task.arithmetic != "float32":
            return False
        return (step.kernel_size, step.stride, step.dilation) == ((3, 3), (1, 1), (1, 1)) and (
            not task.exact or _stays_exact(task, step)
        )

    def seconds(self, task: Task) -> float:
        form, inputs, out = Form.of(task), task.shape.channels, task.output
        pieces, blocks = form.rows * ceil(out.width / BESIDE), form.lanes // PAIR
        return (
            rates().call
            + rates().mixing_call
            + (0 if form.products * NUMBER.itemsize <= KEPT_BYTES else form.step.weight.size * rates().winograd_weight)
            + form.strips * form.lines * form.pitch * rates().mixing_lay
            + pieces * ceil(BESIDE * inputs / LANES) * rates().winograd_transform
            + pieces * blocks * rates().winograd_tiles
            + pieces * TILES * blocks * PLACES * inputs * 2 * rates().mixing_vector
            + (0 if form.straight(task) else 2 * pieces * rates().mixing_part)
            + out.samples * (rates().mixing_store if task.target == task.arithmetic else rates().mixing_round)
        )

    def workspace(self, task: Task, threads: int) -> int:
        form = Form.of(task)
        own = form.scratch()[1] + CACHE_LINE
        weights = form.products * (8 + 2 * NUMBER.itemsize) + form.step.weight.nbytes
        biases = NUMBER.itemsize * (BESIDE + 6) * (form.lanes + PAIR)
        return min(threads, form.strips) * own + weights + biases + position_bytes(task) + SLACK

    def apply(self, task: Task, image: NDArray[Any], threads: int) -> NDArray[Any]:
        return _call(task).apply(image, threads)


@ready
def _call(task: Task) -> Call:
    form = Form.of(task)
    own, room = form.scratch()
    lines = lines_of(task, 2, 1, SIDE, task.shape.channels)
    lines = lines._replace(rows=_longer(lines.rows, 2 * form.rows + 2), columns=_longer(lines.columns, form.columns))
    return Call(
        mix_tiles,
        lines,
        _weights(form),
        results_of(task, form.strips, form.lanes, BESIDE, straight=form.straight(task)),
        own,
        output=task.output,
        target=task.target,
        pieces=form.strips,
        room=room,
    )


def _longer(positions: NDArray[np.intp], count: int) -> NDArray[np.intp]:
    """Extend the padded positions to `count`: tiles may reach beyond them, but those samples are not used."""
    return np.append(positions, np.full(count - len(positions), OUTSIDE, positions.dtype))


def _weights(form: Form) -> Weights:
    """Transform the weights: (pairs of vectors of outputs, places, channels, lanes)."""
    step = form.step
    outputs, inputs = step.weight.shape[:2]
    transformed = np.zeros((form.lanes, inputs, PLACES))
    transformed[:outputs] = step.weight.reshape(outputs, inputs, 9) @ np.kron(TRANSFORM, TRANSFORM).T
    packed = aligned((form.products,), NUMBER)
    packed.reshape(-1, PLACES, inputs, PAIR)[:] = transformed.reshape(-1, PAIR, inputs, PLACES).transpose(0, 3, 2, 1)
    bias, divides = padded_bias(step, form.lanes, NUMBER), step.divisor != 1
    divided = np.tile(bias[:outputs], BESIDE) if divides else bias[:0]
    none = np.zeros_like(bias)
    nowhere = np.zeros((0, 4), np.int64)
    return Weights(packed, np.arange(inputs), nowhere, none if divides else bias, NUMBER.type(step.divisor), divided)


def _stays_exact(task: Task, step: Conv2d) -> bool:
    """Tell whether sums have no error, whatever their order."""
    reach = step.reach
    if task.source not in {"uint8", "uint16"} or reach.offset_places is None:
        return False
    largest = max(255.0 if task.source == "uint8" else 65535.0, reach.rim)
    sums = GROWTH * reach.gain * abs(step.divisor) * largest + QUARTERS * reach.offset
    return sums * 2.0 ** max(task.places, reach.offset_places) < EXACT_BELOW
