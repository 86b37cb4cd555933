"""The check on all samples that are used as they are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.engine.errors import InvalidImage


def check_finite(image: NDArray[Any]) -> None:
    """Refuse NaN and infinity in an array (H, W, C), naming the first of them."""
    if image.dtype.kind != "f":
        return
    finite = np.isfinite(image)
    if not finite.all():
        row, column, channel = (int(i) for i in np.unravel_index(finite.argmin(), finite.shape))
        raise InvalidImage(
            f"the sample at row {row}, column {column}, channel {channel} is"
            f" {image[row, column, channel]}; samples must be finite"
        )
