"""Choose the tiles of a picture, by arithmetic alone.

The tiles of a run are neighbours and share the columns that both their windows read; two runs make one run of complex
numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import product
from math import ceil, log2, prod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.engine.algorithms.base import Task
from service.engine.algorithms.rates import Rates, rates
from service.engine.algorithms.ready import KEPT_BYTES
from service.engine.steps import Conv2d
from service.engine.steps.geometry import Pair

SIDES = (16, 32, 48, 64, 96, 128, 192, 256, 384, 512)
"""Sides of tiles: multiples of LANES whose prime factors are 2 and at most one 3."""
MOST_BYTES = 16 << 20
"""Most bytes of the tiles of all channels together."""
MOST_SPECTRA = 64 << 20
"""Most bytes of all the kernels' spectra."""
PAIRS = 8
"""Number of pairs of runs, if possible: a few threads then end at about the same time."""
UNEVEN = 0.5
"""Threads may wait for each other for this share of a pair of runs."""


class Needs(NamedTuple):
    """What determines the tiles of a task. `channels` are (in, out), `kernels` (out, in / groups)."""

    outputs: Pair
    window: Pair
    stride: Pair
    channels: Pair
    kernels: Pair

    @classmethod
    def of(cls, task: Task, step: Conv2d) -> Needs:
        (height, width, _), view = task.output, step.field_of_view
        channels, kernels = (step.in_channels, step.out_channels), step.weight.shape[:2]
        return cls((height, width), view, step.stride, channels, (kernels[0], kernels[1]))

    @property
    def each(self) -> bool:
        """Whether every channel is filtered separately and gives one output."""
        return self.kernels[1] == 1 and self.channels[0] == self.channels[1]


class Tiling(NamedTuple):
    """Tiles of `side` samples that give `outputs` results each: `strips` down, each of `parts` runs of `tiles`."""

    side: Pair
    outputs: Pair
    strips: int
    parts: int
    tiles: int

    @property
    def points(self) -> int:
        return self.side[0] * self.side[1]

    @property
    def radices(self) -> tuple[list[int], list[int]]:
        """List the radices of the passes down a tile and along it."""
        return radices_of(self.side[0]), radices_of(self.side[1])

    @property
    def pairs(self) -> int:
        return ceil(self.strips * self.parts / 2)

    def shared(self, stride: Pair) -> int:
        """Count the columns that a tile shares with the next one."""
        return max(0, self.side[1] - self.outputs[1] * stride[1])

    def body_bytes(self, needs: Needs) -> int:
        """Count the bytes of two tiles' transformed channels."""
        return 8 * self.points * (needs.channels[0] + (0 if needs.each else needs.channels[1]))

    def spectra_bytes(self, needs: Needs) -> int:
        return 8 * self.points * prod(needs.kernels)

    def seconds(self, needs: Needs) -> float:
        """Predict the time; it includes making the spectra if they are too many to be kept."""
        (inputs, outputs), (down, along) = needs.channels, self.side
        tiles = self.pairs * self.tiles
        known = self.pairs * (self.tiles - 1) * self.shared(needs.stride)
        moved = down * ((tiles * along - known) * inputs + tiles * self.outputs[1] * outputs)
        turned = tiles * self.points * (inputs + outputs)
        products = tiles * self.points * outputs * needs.kernels[1]
        kernels = prod(needs.kernels) if self.spectra_bytes(needs) > KEPT_BYTES else 0
        made = self.points * 2 * log2(self.points)  # sorting a spectrum takes as long as its transform
        return (
            rates().fft_call
            + rates().fft_move * moved
            + rates().fft_point * (moved * log2(down) + turned * log2(along))
            + rates().fft_product * products
            + kernels * (3 * rates().fft_kernel + rates().fft_point_double * made)
        )


def radices_of(side: int) -> list[int]:
    """Factor `side` into 8s, 4s and at most one 3."""
    three = side % 3 == 0
    twos = (side // 3 if three else side).bit_length() - 1
    fours = -twos % 3
    return [8] * ((twos - 2 * fours) // 3) + [4] * fours + [3] * three


def best_tiling(needs: Needs) -> Tiling | None:
    """Choose the tiles with the least time; None if the windows are too wide or the kernels too many."""
    return _best_tiling(needs, SIDES, rates())


@lru_cache(1024)
def _best_tiling(needs: Needs, sides: tuple[int, ...], _rates: Rates) -> Tiling | None:
    """Choose by the rates in force; they are an argument so that no cached choice outlives them."""
    (height, width), window, stride = needs.outputs, needs.window, needs.stride

    def results(side: int, axis: int) -> int:
        return (side - window[axis]) // stride[axis] + 1

    def tilings() -> Iterator[Tiling]:
        for down, along in product(
            _sides(sides, height, window[0], stride[0]), _sides(sides, width, window[1], stride[1])
        ):
            rows = ceil(height / ceil(height / results(down, 0)))
            strips, across = ceil(height / rows), ceil(width / results(along, 1))
            runs = ceil(2 * PAIRS / strips)
            tiles = ceil(across / (runs + runs * strips % 2))
            columns = ceil(width / (ceil(across / tiles) * tiles))
            tiling = Tiling((down, along), (rows, columns), strips, ceil(width / (tiles * columns)), tiles)
            if tiling.body_bytes(needs) <= MOST_BYTES and tiling.spectra_bytes(needs) <= MOST_SPECTRA:
                yield tiling

    def time(tiling: Tiling) -> float:
        return tiling.seconds(needs) * (1 + UNEVEN / tiling.pairs)

    return min(tilings(), key=time, default=None)


def _sides(sides: tuple[int, ...], outputs: int, window: int, stride: int) -> list[int]:
    """List the tile sides that hold a window, up to the first that holds all windows."""
    needed = (outputs - 1) * stride + window
    whole = [side for side in sides if side >= needed][:1]
    return [side for side in sides if window <= side < needed] + whole


def runs_of(tiling: Tiling, needs: Needs) -> NDArray[np.int64]:
    """List the runs in pairs; if their number is odd, a run without rows comes last."""
    height = needs.outputs[0]
    runs = [
        (first, min(tiling.outputs[0], height - first), part * tiling.tiles * tiling.outputs[1])
        for first in range(0, height, tiling.outputs[0])
        for part in range(tiling.parts)
    ]
    if len(runs) % 2:
        runs.append((runs[-1][0], 0, runs[-1][2]))
    return np.array(runs, np.int64).reshape(-1, 2, 3)
