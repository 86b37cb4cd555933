"""Which input sample lies beneath the middle of each window."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from service.engine.steps.geometry import Padding, Pair, Shape

Centres = tuple[NDArray[np.intp], NDArray[np.intp]]
"""For each output row, and each output column, the input row or column nearest to the middle of its window."""


def window_centres(shape: Shape, out: Shape, window: Pair, stride: Pair, padding: Padding) -> Centres:
    """Find the input sample beneath the middle of each window; none moves where the size stays."""

    def axis(size: int, outputs: int, window: int, stride: int, begin: int) -> NDArray[np.intp]:
        shift = 0 if outputs == size else (window - 1) // 2 - begin
        return np.clip(np.arange(outputs) * stride + shift, 0, size - 1)

    return (
        axis(shape.height, out.height, window[0], stride[0], padding.top),
        axis(shape.width, out.width, window[1], stride[1], padding.left),
    )
