"""Any number of channels on one sheet: gray tiles, row by row, one black pixel apart."""

from __future__ import annotations

from math import isqrt

import numpy as np
from numpy.typing import NDArray

from service.engine.steps.geometry import Shape

GAP = 1


def _grid(channels: int) -> tuple[int, int]:
    """Count the rows and columns of the squarest grid that is not taller than wide."""
    columns = isqrt(channels - 1) + 1
    return -(-channels // columns), columns


def sheet(shape: Shape) -> Shape:
    """Return the shape of the sheet for an image of `shape`."""
    rows, columns = _grid(shape.channels)
    return Shape(rows * (shape.height + GAP) - GAP, columns * (shape.width + GAP) - GAP, 1)


def montage(image: NDArray[np.generic]) -> NDArray[np.generic]:
    """Lay the channels of an image (H, W, C) out on a sheet (H', W', 1)."""
    height, width, channels = image.shape
    columns = _grid(channels)[1]
    result = np.zeros(sheet(Shape(height, width, channels)), image.dtype)
    for channel in range(channels):
        top, left = (channel // columns) * (height + GAP), (channel % columns) * (width + GAP)
        result[top : top + height, left : left + width, 0] = image[..., channel]
    return result
