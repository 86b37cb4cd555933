"""What lies beyond an image's rim: each padding mode as a map from padded positions to samples."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from service.engine.steps.geometry import PaddingMode, Pair

OUTSIDE = -1
"""The index of a position that has no sample: it holds the padding value (0 for "zeros")."""


def indices(size: int, padding: Pair, mode: PaddingMode) -> NDArray[np.intp]:
    """Map each of `size + sum(padding)` padded positions to a sample of the axis.

    Padding wider than the axis keeps reflecting or wrapping, as in `numpy.pad`.
    """
    position = np.arange(-padding[0], size + padding[1], dtype=np.intp)
    match mode:
        case "zeros" | "constant":
            position[: padding[0]] = position[padding[0] + size :] = OUTSIDE
            return position
        case "replicate":
            return position.clip(0, size - 1)
        case "circular":
            return position % size
        case "symmetric":
            position %= 2 * size
            return np.minimum(position, 2 * size - 1 - position)
        case "reflect":
            period = max(1, 2 * (size - 1))
            position %= period
            return np.minimum(position, period - position)
