"""Write WebP and AVIF with Pillow, libwebp and libavif."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from service.engine.codecs.base import LOSSLESS, Coding
from service.engine.codecs.jpeg import subsampling

WEBP_QUALITY, AVIF_QUALITY = 90, 75
_EVERYTHING = 100
_WEBP_METHOD = {"fast": 2, "small": 6}
"""On photographs 2 takes half the time of libwebp's default, 4; at the same size its PSNR is 0.1 to 0.7 dB lower."""
_LOSSLESS_METHOD = {"fast": (2, 20), "small": (6, 100)}
"""Method and effort: on photographs the first takes a sixth of the time of libwebp's default, for 2 % more bytes."""
_AVIF_SPEED = {"fast": 9, "small": 6}
"""On photographs 6 takes ten times as long as 9, for 5 % fewer bytes at the same PSNR."""
_THREADS = 2
"""Several threads write other bytes than a single thread does; their number makes no difference."""


def webp(image: NDArray[Any], how: Coding) -> bytes:
    """Write an image (H, W, C) of uint8 and 1 to 4 channels; gray becomes RGB, as WebP has no gray.

    Raises `MemoryError`.
    """
    if how.quality == LOSSLESS:
        method, effort = _LOSSLESS_METHOD[how.compression]
        options: dict[str, Any] = {"lossless": True, "method": method, "quality": effort}
    else:
        quality = WEBP_QUALITY if how.quality is None else how.quality
        options = {"quality": quality, "method": _WEBP_METHOD[how.compression]}
    gray = image.shape[2] <= 2  # a gray profile does not describe RGB
    return _written(image, "WEBP", icc_profile=None if gray else how.icc, exact=True, **options)


def avif(image: NDArray[Any], how: Coding) -> bytes:
    """Write an image (H, W, C) of uint8 and 1 to 4 channels; gray stays gray. Raises `MemoryError`.

    Only gray can be lossless: Pillow codes colours as luminance and differences of 8 bits (BT.601).
    """
    quality = AVIF_QUALITY if how.quality is None else how.quality
    if quality == LOSSLESS:
        quality = _EVERYTHING
    return _written(
        image,
        "AVIF",
        quality=quality,
        subsampling=f"{':'.join('400' if image.shape[2] <= 2 else subsampling(quality))}",
        speed=_AVIF_SPEED[how.compression],
        max_threads=max(_THREADS, how.threads),
        autotiling=False,  # it depends on the number of threads
        icc_profile=how.icc,
    )


def _written(image: NDArray[Any], kind: str, **options: Any) -> bytes:
    stream = BytesIO()
    try:
        Image.fromarray(_packed(image)).save(stream, kind, **options)
    except MemoryError:
        raise
    except Exception:  # the image has been checked: only memory or threads can run out
        raise MemoryError from None
    return stream.getvalue()


def _packed(image: NDArray[Any]) -> NDArray[Any]:
    """Return the array in Pillow's form: gray without a channel axis, gray with alpha as RGBA."""
    match image.shape[2]:
        case 1:
            return np.ascontiguousarray(image[..., 0])
        case 2:
            return np.ascontiguousarray(image[..., [0, 0, 0, 1]])
        case _:
            return np.ascontiguousarray(image)
