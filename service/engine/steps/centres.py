"""Find the input sample under the middle of each window."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from service.engine.steps.geometry import Padding, Pair, Shape

Centres = tuple[NDArray[np.intp], NDArray[np.intp]]
"""The input row nearest to the middle of each output row's window, and likewise for columns."""


def window_centres(shape: Shape, out: Shape, window: Pair, stride: Pair, padding: Padding) -> Centres:
    """Find the input sample under the middle of each window; if the size stays, each sample keeps its place."""

    def axis(size: int, outputs: int, window: int, stride: int, begin: int) -> NDArray[np.intp]:
        shift = 0 if outputs == size else (window - 1) // 2 - begin
        return np.clip(np.arange(outputs) * stride + shift, 0, size - 1)

    return (
        axis(shape.height, out.height, window[0], stride[0], padding.top),
        axis(shape.width, out.width, window[1], stride[1], padding.left),
    )
