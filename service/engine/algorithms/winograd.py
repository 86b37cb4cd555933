"""Channel mixing by 3 x 3 windows in fewer products than these have: tiles of results from tiles of samples.

The sums of samples that this takes are no less exact than sums of products: A. Lavin and S. Gray, "Fast algorithms for
convolutional neural networks" (2016), section 5.1. See loops/mixing.py.
"""

from __future__ import annotations

from math import ceil
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.engine import parallel
from service.engine.algorithms.base import Task
from service.engine.algorithms.mixing import FEWEST_ROWS, HIGHEST, PIECES, STRIP_BYTES
from service.engine.algorithms.strips import SLACK, rows_of_bytes, source_bytes
from service.engine.arrays import aligned
from service.engine.borders import OUTSIDE, indices
from service.engine.loops.lanes import KINDS, VECTOR_BYTES
from service.engine.loops.mixing import FEW, MANY, WHOLE, Lines, Place, Weights
from service.engine.loops.winograd import mix_tiles
from service.engine.precision import EXACT_BELOW
from service.engine.rates import RATES
from service.engine.steps import Conv2d

SIDE, PLACES = 4, 16
"""Of a tile of samples; of results it is 2."""
LINE = 16
"""Numbers by which the places of a chunk of tiles are further apart, or all would want the same part of a cache."""
KERNEL = np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]])
"""The transform of a column of weights."""
GROWTH = 64
"""What is added up to a sum of a window may be 16 times as large as that could be, and counts quarters."""


class Form(NamedTuple):
    """Rows of tiles, cut into `strips` of `height` rows at most; `pitch` samples of a padded row."""

    step: Conv2d
    rows: int
    columns: int
    strips: int
    height: int
    pitch: int

    @classmethod
    def of(cls, task: Task) -> Form:
        step, out = task.step, task.output
        if not isinstance(step, Conv2d):
            raise TypeError(f"no way to compute a {type(step).__name__}")
        rows, columns = ceil(out.height / 2), ceil(out.width / 2)
        pitch = (2 * columns + 2) * task.shape.channels
        fitting = STRIP_BYTES // np.dtype(task.arithmetic).itemsize // pitch // 2 - 1
        height = max(FEWEST_ROWS // 2, min(fitting, ceil(rows / PIECES)))
        strips = ceil(rows / height)
        return cls(step, rows, columns, strips, ceil(rows / strips), pitch)

    @property
    def lines(self) -> int:
        return 2 * self.height + 2

    @property
    def scratch(self) -> int:
        """Count the numbers of a strip and of one chunk of tiles."""
        inputs, outputs = self.step.in_channels, self.step.out_channels
        return self.lines * self.pitch + PLACES * (MANY * (inputs + outputs) + 2 * LINE) + 4 * MANY * outputs


class Winograd:
    name = "winograd"

    def accepts(self, task: Task) -> bool:
        step = task.step
        if not isinstance(step, Conv2d) or step.shared or step.groups > 1:
            return False
        lanes = VECTOR_BYTES // np.dtype(task.arithmetic).itemsize
        return (
            (step.kernel_size, step.stride, step.dilation) == ((3, 3), (1, 1), (1, 1))
            and step.in_channels % lanes == step.out_channels % lanes == 0
            and (not task.exact or task.arithmetic == "float64" or _stays_exact(task, step))
        )

    def seconds(self, task: Task) -> float:
        form, lanes = Form.of(task), VECTOR_BYTES // np.dtype(task.arithmetic).itemsize
        inputs, outputs = form.step.in_channels, form.step.out_channels // lanes
        chunks, rest = divmod(form.columns, MANY)
        parts = ceil(rest / FEW)
        summed, calls = form.rows * (chunks * MANY + parts * FEW), form.rows * (chunks + parts)
        return (
            RATES.call
            + RATES.mixing_call
            + form.step.weight.size * RATES.winograd_weight
            + form.strips * form.lines * form.pitch * RATES.mixing_lay
            + form.rows * form.columns * (inputs // lanes + outputs) * RATES.winograd_transform
            + PLACES * calls * outputs * RATES.mixing_block
            + PLACES * summed * inputs * outputs * RATES.mixing_vector
            + task.output.samples * (RATES.mixing_store if task.target == task.arithmetic else RATES.mixing_round)
        )

    def workspace(self, task: Task, threads: int) -> int:
        form, number = Form.of(task), np.dtype(task.arithmetic).itemsize
        weights = PLACES * form.step.weight[:, :, 0, 0].size * (8 + 2 * number) + form.step.weight.nbytes
        biases = number * (2 * MANY + 4) * form.step.out_channels
        positions = 8 * 5 * (sum(task.shape[:2]) + sum(form.step.padding) + 2)
        return min(threads, form.strips) * number * form.scratch + weights + biases + positions + SLACK

    def apply(self, task: Task, image: NDArray[Any], threads: int) -> NDArray[Any]:
        form, number = Form.of(task), np.dtype(task.arithmetic)
        step, inputs = form.step, form.step.in_channels
        lines = Lines(
            _positions(image.shape[0], step.padding.vertical, step, 2 * form.rows + 2),
            _positions(image.shape[1], step.padding.horizontal, step, 2 * form.columns + 2),
            step.padding.left,
            inputs,
            number.type(step.padding_value if step.padding_mode == "constant" else 0),
            2,
            1,
            SIDE,
        )
        weights = _weights(step, number)
        result = aligned(task.output, task.target, np.empty)
        outputs, high = result.shape[2], number.type(HIGHEST[task.target])
        straight = result.dtype == number and step.divisor == 1
        place = Place(rows_of_bytes(result), KINDS[task.target], result.shape[1], outputs, outputs, straight, high)
        source, kind, counter = source_bytes(image), KINDS[image.dtype.name], np.zeros(1, np.int64)
        nothing = np.zeros(max(inputs, outputs), number)

        def work(_: int) -> None:
            strip = aligned((form.lines, form.pitch), number)
            spectra, products = (aligned((PLACES, MANY * each + LINE), number) for each in (inputs, outputs))
            sums = aligned((2, 2 * MANY * outputs), number)
            mix_tiles(
                source, kind, lines, weights, nothing, place, form.strips, counter, strip, spectra, products, sums
            )

        parallel.each(work, range(min(threads, form.strips)), threads)
        return result


def _positions(size: int, padding: tuple[int, int], step: Conv2d, count: int) -> NDArray[np.intp]:
    """Give the first `count` padded positions; the last of a tile may be beyond them, and is not looked at."""
    return np.append(indices(size, padding, step.padding_mode), OUTSIDE)[:count]


def _weights(step: Conv2d, number: np.dtype[Any]) -> Weights:
    """Transform the weights: (16, outputs / lanes, inputs, lanes)."""
    (outputs, inputs), lanes = step.weight.shape[:2], VECTOR_BYTES // number.itemsize
    transformed = (step.weight.reshape(-1, 9) @ np.kron(KERNEL, KERNEL).T).astype(number)
    packed = aligned((PLACES, outputs // lanes, inputs, lanes), number)
    packed[...] = transformed.reshape(-1, lanes, inputs, PLACES).transpose(3, 0, 2, 1)
    bias, none = np.zeros((2, outputs), number)
    if step.bias is not None:
        bias[:] = step.bias
    divides = step.divisor != 1
    blocks = [(WHOLE, 0, output * inputs, output) for output in range(0, outputs, lanes)]
    return Weights(
        packed.reshape(-1),
        np.arange(inputs),
        np.array(blocks),
        none if divides else bias,
        number.type(step.divisor),
        np.tile(bias, 2 * MANY) if divides else none,
    )


def _stays_exact(task: Task, step: Conv2d) -> bool:
    reach = step.reach
    largest = max(255.0 if task.source == "uint8" else 65535.0, reach.rim)
    return GROWTH * reach.gain * abs(step.divisor) * largest < EXACT_BELOW
