"""An image with its rim, of which only the window that is looked at is ever made."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.engine.borders import OUTSIDE, indices
from service.engine.geometry import Padding, PaddingMode

Positions = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Padded:
    """`image` (H, W, C); for each padded row and column the one of the image that stands there, or OUTSIDE."""

    image: NDArray[Any]
    rows: Positions
    columns: Positions
    value: float
    """Of the samples outside."""

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
        vertical, horizontal = _runs(np.maximum(rows, 0)), _runs(np.maximum(columns, 0))
        if len(vertical) * len(horizontal) <= FEW_RUNS:
            for here, there in vertical:
                for across, along in horizontal:
                    inner[here, across] = self.image[there, along, channels]
        else:
            inner[...] = self.image[np.maximum(rows, 0)[:, None], np.maximum(columns, 0), channels]
        inner[rows == OUTSIDE] = self.value
        inner[:, columns == OUTSIDE] = self.value


FEW_RUNS = 50
"""So many slices are read faster than sample by sample."""


def _runs(positions: Positions) -> list[tuple[slice, slice]]:
    """Split `positions` into runs of one step: pairs of where they are and where they lead."""
    steps = np.diff(positions)
    cuts = [0, *(np.flatnonzero(np.diff(steps)) + 2).tolist(), len(positions)]
    runs = []
    for begin, end in pairwise(cuts):
        first, step = int(positions[begin]), int(steps[begin]) if end - begin > 1 else 1
        last = first + step * (end - begin - 1)
        stop = last + (1 if step >= 0 else -1)
        runs.append((slice(begin, end), slice(first, None if stop < 0 else stop, step or 1)))
    return runs
