"""Small pictures for tests: to PNG and back, by Pillow."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def as_png(image: NDArray[np.uint8]) -> bytes:
    """Write (H, W, C) of 1 to 4 channels."""
    out = BytesIO()
    Image.fromarray(image[..., 0] if image.shape[2] == 1 else image).save(out, "PNG")
    return out.getvalue()


def from_png(data: bytes) -> NDArray[Any]:
    """Read an 8-bit picture, or a 16-bit gray one, as (H, W, C)."""
    with Image.open(BytesIO(data)) as image:
        pixels = np.asarray(image)
    return pixels if pixels.ndim == 3 else pixels[..., None]


def noise(*shape: int, seed: int = 1) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
