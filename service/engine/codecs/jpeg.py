"""The pixels of a JPEG, decoded by libjpeg-turbo straight to three bytes each; Pillow makes four, to be packed."""

from __future__ import annotations

import numpy as np
import simplejpeg
from numpy.typing import NDArray

_CHANNELS = {"Gray": 1, "YCbCr": 3, "RGB": 3}
_NO_MEMORY = "Insufficient memory"
"""So libjpeg's message begins."""


def pixels(data: bytes, height: int, width: int, channels: int) -> NDArray[np.uint8] | None:
    """Decode gray or RGB as (H, W, C), to the very levels that Pillow gives: both have the same library.

    None where it warns of anything, does not read this sampling, or finds another size or model: whether such a file is
    read, and what is in it, is for Pillow to say. Raises `MemoryError`.
    """
    image = np.empty((height, width, channels), np.uint8)
    try:
        found_height, found_width, model, _ = simplejpeg.decode_jpeg_header(data)
        if (found_height, found_width, _CHANNELS.get(model)) != image.shape:
            return None
        simplejpeg.decode_jpeg(data, "GRAY" if channels == 1 else "RGB", buffer=image.reshape(-1), strict=True)
    except ValueError as complaint:
        if _NO_MEMORY in str(complaint):
            raise MemoryError from None
        return None
    return image
