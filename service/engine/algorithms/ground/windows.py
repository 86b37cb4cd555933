"""An image with its rim; only the windows that are read are ever made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.engine.steps.borders import OUTSIDE, indices
from service.engine.steps.geometry import Padding, PaddingMode

Positions = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Padded:
    """`image` (H, W, C); each padded row and column maps to one of the image, or OUTSIDE."""

    image: NDArray[Any]
    rows: Positions
    columns: Positions
    value: float
    """The value of samples outside."""

    @classmethod
    def of(cls, image: NDArray[Any], padding: Padding, mode: PaddingMode, value: float = 0.0) -> Padded:
        return cls(
            image,
            indices(image.shape[0], padding.vertical, mode),
            indices(image.shape[1], padding.horizontal, mode),
            value if mode == "constant" else 0.0,
        )

    def window(self, top: int, left: int, out: NDArray[Any], channels: slice = slice(None)) -> None:
        """Fill `out` (h, w, c) from padded row `top` and column `left` on; with 0 beyond the padded image."""
        rows = self.rows[top : top + out.shape[0]]
        columns = self.columns[left : left + out.shape[1]]
        out[len(rows) :] = 0
        out[:, len(columns) :] = 0
        inner = out[: len(rows), : len(columns)]
        source = np.maximum(rows, 0), np.maximum(columns, 0)
        vertical, horizontal = map(_cuts, source)
        if (len(vertical) + 1) * (len(horizontal) + 1) <= FEW_RUNS:
            for here, there in _runs(source[0], vertical):
                for across, along in _runs(source[1], horizontal):
                    inner[here, across] = self.image[there, along, channels]
        else:
            inner[...] = self.image[source[0][:, None], source[1], channels]
        inner[rows == OUTSIDE] = self.value
        inner[:, columns == OUTSIDE] = self.value


FEW_RUNS = 50
"""Up to so many slices are read faster than single samples."""


def _cuts(positions: Positions) -> Positions:
    """Find where the step of `positions` changes."""
    return np.flatnonzero(np.diff(positions, 2)) + 2


def _runs(positions: Positions, cuts: Positions) -> Iterator[tuple[slice, slice]]:
    """Yield the runs of constant step between `cuts`: pairs of their places and their targets."""
    for begin, end in pairwise([0, *cuts.tolist(), len(positions)]):
        first, step = int(positions[begin]), int(positions[begin + 1] - positions[begin]) if end - begin > 1 else 1
        last = first + step * (end - begin - 1)
        stop = last + (1 if step >= 0 else -1)
        yield slice(begin, end), slice(first, None if stop < 0 else stop, step or 1)
