"""Tiles of pictures in float32, for the loops of loops/spectra.py.

A result that has to be exact is stored twice, once minus and once plus the largest error: where both agree, the level
is right; elsewhere settling.py sums again.

Everything that does not depend on pixels, above all the spectra of the kernels, is prepared once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from service.engine.algorithms.base import Task
from service.engine.algorithms.ready import ready
from service.engine.algorithms.settling import CENTER, error, shift, windows
from service.engine.algorithms.strips import POSITION_BYTES, SLACK, Rim, source_bytes
from service.engine.algorithms.tilings import Needs, Tiling, best_tiling, radices_of, runs_of
from service.engine.algorithms.work import Counter, Part, Parts, share
from service.engine.loops.convolution import Source
from service.engine.loops.fourier import ROW, Axis
from service.engine.loops.samples import KINDS
from service.engine.loops.settling import Windows, settle
from service.engine.loops.spectra import Kernels, Place, Runs, Tile, correlate
from service.engine.loops.vectors import LANES
from service.engine.machine import parallel
from service.engine.steps import Conv2d
from service.engine.steps.borders import OUTSIDE

MAKING_BYTES = 64
"""Bytes per point of a spectrum while it is made."""


@dataclass(frozen=True, eq=False)
class Tiles:
    """A task as the loops' arguments."""

    task: Task
    rim: Rim
    runs: Runs
    down: Axis
    along: Axis
    kernels: Kernels
    biases: tuple[NDArray[np.float32], NDArray[np.float32]]
    center: np.float32
    windows: Windows | None
    places: tuple[NDArray[np.int64], NDArray[np.int64]]
    parts: Parts

    @property
    def nbytes(self) -> int:
        tables = (*self.kernels, *self.biases, *self.places, *(self.windows or ()))
        arrays = (*self.rim, *self.runs, *self.down, *self.along, *tables)
        return sum(getattr(array, "nbytes", 0) for array in arrays)

    def apply(self, image: NDArray[Any], threads: int) -> NDArray[Any]:
        """Compute the task. Tile boundaries do not depend on `threads`."""
        result = np.empty(self.task.output, self.task.target)
        most = np.empty_like(result[:0] if self.windows is None else result)
        source = Source(source_bytes(image), KINDS[image.dtype.name], *self.rim)
        kind, rows = KINDS[result.dtype.name], (_rows(result), _rows(most))
        outs = Place(rows[0], kind, self.biases[0]), Place(rows[1], kind, self.biases[1])

        def make_runs(counter: Counter, own: Iterator[NDArray[Any]]) -> None:
            tile = Tile(*self.places, *own)
            correlate(counter, source, self.center, self.runs, self.down, self.along, self.kernels, outs, tile)

        share(make_runs, self.parts, len(self.runs.runs), threads)
        if self.windows is not None:
            self._settle(source, self.windows, rows, threads)
        return result

    def _settle(
        self, source: Source, windows: Windows, rows: tuple[NDArray[np.uint8], NDArray[np.uint8]], threads: int
    ) -> None:
        counter = np.zeros(1, np.int64)
        parallel.each(lambda _: settle(counter, source, windows, *rows), range(threads), threads)


@ready
def tiles(task: Task) -> Tiles:
    step, needs, tiling = known(task)
    rim = Rim.padded(task.shape, step.padding, step.padding_mode, step.padding_value, "float32", interleaved=True)
    beyond = np.full(tiling.side[0], OUTSIDE, np.int32)  # a tile's height does not depend on the image
    rim = rim._replace(rows=np.concatenate([rim.rows, beyond]))
    down, along = (axis_of(side) for side in tiling.side)
    parts = _parts(tiling, needs)
    bias, off, center = np.zeros(step.out_channels) if step.bias is None else step.bias, np.zeros(1), 0.0
    if task.exact:
        bias, off, center = shift(step), error(step, tiling.radices), CENTER
        rim = rim._replace(value=np.float32(rim.value - center))
    dealt = _places(
        tiling.side[1] * needs.channels[0],
        needs.channels[0],
        1,
        tiling.side[1],
        beyond=needs.channels[0] * tiling.side[1],
    )
    woven = _places(tiling.outputs[1] * needs.channels[1], needs.channels[1], step.stride[1], tiling.side[1], beyond=0)
    return Tiles(
        task,
        rim,
        Runs(runs_of(tiling, needs), tiling.tiles, tiling.outputs[1], step.stride),
        down,
        along,
        Kernels(
            _spectra(step, down, along),
            0 if step.shared else 2 * tiling.points,
            *needs.channels,
            needs.kernels[1],
            needs.each,
        ),
        (_by_lanes(bias - off, step), _by_lanes(bias + off, step)),
        np.float32(center),
        windows(step) if task.exact else None,
        (dealt, woven),
        parts,
    )


def workspace(task: Task, threads: int) -> int:
    """Bound the bytes of the spectra and the tables, plus the larger of their making and of the tiles.

    A result that has to be exact is stored twice.
    """
    _, needs, tiling = known(task)
    positions = POSITION_BYTES * (sum(task.shape[:2]) + sum(tiling.side) + sum(needs.window)) * max(needs.channels)
    making = MAKING_BYTES * tiling.points
    own = min(threads, tiling.pairs) * _parts(tiling, needs).room
    second = task.output.samples if task.exact else 0
    return tiling.spectra_bytes(needs) + max(making, own) + second + positions + SLACK


def known(task: Task) -> tuple[Conv2d, Needs, Tiling]:
    step = task.step
    if not isinstance(step, Conv2d):
        raise TypeError(f"no way to compute a {type(step).__name__}")
    needs = Needs.of(task, step)
    tiling = best_tiling(needs)
    if tiling is None:
        raise ValueError(f"no tile holds a window of {step.field_of_view}")
    return step, needs, tiling


def _parts(tiling: Tiling, needs: Needs) -> Parts:
    """Lay out the arrays of `Tile`, except its tables."""
    (inputs, outputs), (down, along), number = needs.channels, tiling.side, np.dtype(np.float32)
    blocks = down // LANES
    return Parts.laid_out(
        Part((down * ROW,), number),
        Part((blocks, (inputs * along + 1) * ROW), number),
        Part((blocks, 0 if needs.each else outputs * along * ROW), number),
        Part((tiling.shared(needs.stride) * inputs * blocks * ROW,), number),
    )


def _places(samples: int, channels: int, step: int, pitch: int, *, beyond: int) -> NDArray[np.int64]:
    """Place each sample of a row, of every `step`-th column, in a block of `channels` times `pitch` rows.

    Samples after the last are at row `beyond`.
    """
    sample = np.arange(samples + LANES)
    row = sample % channels * pitch + sample // channels * step
    return np.where(sample < samples, row, beyond) * ROW


def _by_lanes(numbers: NDArray[np.float64], step: Conv2d) -> NDArray[np.float32]:
    """Repeat the numbers of the channels for LANES more samples."""
    return np.resize(numbers, step.out_channels + LANES).astype(np.float32)


def _rows(image: NDArray[Any]) -> NDArray[np.uint8]:
    """View (H, W, C) as (H, bytes of a row), even without rows."""
    return image.reshape(len(image), -1 if image.size else image.shape[1] * image.shape[2]).view(np.uint8)


def axis_of(side: int) -> Axis:
    radices, part, turns = radices_of(side), side, [np.empty(0)]
    for radix in radices[:-1]:
        rows = part // radix
        angle = np.multiply.outer(np.arange(rows), np.arange(1, radix)) * (-2 * np.pi / part)
        turns.append(np.stack([np.cos(angle), np.sin(angle)], axis=-1).reshape(-1))
        part = rows
    return Axis(side, np.array(radices, np.int64), np.concatenate(turns).astype(np.float32))


def order_of(axis: Axis) -> NDArray[np.int64]:
    """List the frequencies in the order that the passes leave."""
    order = np.zeros(1, np.int64)
    for radix in reversed(axis.radices.tolist()):
        order = np.concatenate([part + radix * order for part in range(radix)])
    return order


def _spectra(step: Conv2d, down: Axis, along: Axis) -> NDArray[np.float32]:
    """Transform the kernels, with taps `dilation` apart, and conjugate: the step is a correlation."""
    outputs, per_group = step.weight.shape[:2]
    (height, width), (row, column), view = (down.length, along.length), step.dilation, step.field_of_view
    order = order_of(along)[:, None], order_of(down)
    spectra = np.empty((outputs, per_group, height // LANES, width, 2, LANES), np.float32)
    plane = np.zeros((width, height))
    for output, channel in product(range(outputs), range(per_group)):
        scaled = step.weight[output, channel] / (step.divisor * height * width)
        plane[: view[1] : column, : view[0] : row] = scaled.T
        spectrum = fft.fft2(plane).astype(np.complex64)[order].reshape(width, -1, LANES).transpose(1, 0, 2)
        spectra[output, channel, :, :, 0] = spectrum.real
        np.negative(spectrum.imag, out=spectra[output, channel, :, :, 1])
    return spectra.reshape(-1)
