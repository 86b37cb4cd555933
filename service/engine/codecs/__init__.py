"""Images in and out: what the bytes are, what they hold, and the bytes of a result.

`inspect` reads the header alone, `decode` the pixels; both raise nothing but what service.engine.errors lists.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.engine.codecs import npy, pictures, png_reader, png_writer, tiff
from service.engine.codecs.base import Buffer, Decoded, ImageInfo
from service.engine.codecs.metadata import NOTHING, Metadata
from service.engine.codecs.png_writer import Compression
from service.engine.codecs.process import own_process
from service.engine.codecs.sniff import sniff
from service.engine.errors import MemoryLimit
from service.engine.limits import Limits

__all__ = [
    "Buffer",
    "Compression",
    "Decoded",
    "ImageInfo",
    "Metadata",
    "decode",
    "decode_bytes",
    "encode_npy",
    "encode_png",
    "inspect",
    "own_process",
]

_FIXED_BYTES = 32 * 2**20
_PICTURE_BYTES = {"jpeg": 16, "webp": 30, "gif": 20, "bmp": 30, "tiff": 20, "avif": 28}
"""Per pixel, at the most: planes, coefficients and canvases of the decoders, Pillow's four bytes, conversions.

Measured in 2026 with Pillow 13 at 6 million pixels, in the worst form that was found (progressive CMYK, lossless with
alpha, ...): 14, 21, 13, 12, 14, 18.
"""
_SAMPLES_OF_TIFF = 5
"""Of a TIFF that tifffile reads, times the bytes of a pixel: padded tiles, the picture, what is made of it."""


def inspect(data: Buffer, limits: Limits) -> ImageInfo:
    """Read the header. Raises `UnsupportedFormat`, `InvalidImage`, `ImageTooLarge` and `TooManyChannels`."""
    match sniff(data):
        case "png":
            return png_reader.inspect(data, limits)
        case "npy":
            return npy.inspect(data, limits)
        case picture:
            return pictures.inspect(data, picture, limits)


def decode(data: Buffer, info: ImageInfo, threads: int = 1) -> Decoded:
    """Read the pixels of what `inspect` has described. Raises `InvalidImage` and `MemoryLimit`."""
    try:
        match info.format:
            case "png":
                return png_reader.decode(data, threads)
            case "npy":
                return npy.decode(data, info)
            case _:
                return pictures.decode(data, info)
    except MemoryError:
        raise MemoryLimit(f"there is not enough memory to read {info.width}×{info.height} pixels") from None


def decode_bytes(info: ImageInfo) -> int:
    """Bound the bytes that `decode` needs at its peak, its result included and the encoded data left out."""
    pixels = info.width * info.height
    pixel_bytes = info.channels * np.dtype(info.dtype).itemsize
    match info.format:
        case "png":  # twice for turning it, and what a row needs on its way
            return 2 * pixels * pixel_bytes + max(info.width, info.height) * (4 * pixel_bytes + 24) + _FIXED_BYTES
        case "npy":  # a copy, and where it is finite
            return pixels * (pixel_bytes + info.channels) + _FIXED_BYTES
        case "tiff":
            pillows, own = pixels * _PICTURE_BYTES["tiff"], pixels * pixel_bytes * _SAMPLES_OF_TIFF + tiff.SPARE_BYTES
            return max(pillows, own) + _FIXED_BYTES
        case picture:
            return pixels * _PICTURE_BYTES[picture] + _FIXED_BYTES


def encode_png(
    image: NDArray[Any],
    *,
    compression: Compression = "fast",
    icc: bytes | None = None,
    metadata: Metadata = NOTHING,
    threads: int = 1,
) -> bytes:
    """Write an image (H, W, C) of uint8 or uint16 and 1 to 4 channels; the same bytes for any number of threads."""
    return png_writer.encode(image, compression, icc, metadata, threads)


def encode_npy(image: NDArray[Any]) -> bytes:
    """Write an image (H, W, C) as a float32 array of NPY format 1.0."""
    return npy.encode(image)
