"""Read and write images: detect formats, decode, encode.

`inspect` reads only the header, `decode` the pixels; both raise only errors of service.engine.errors.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.engine.codecs import (
    jpeg,
    npy,
    picture_writer,
    pictures,
    png_reader,
    png_search,
    png_writer,
    tiff,
    tiff_writer,
)
from service.engine.codecs.base import Buffer, Coding, Compression, Decoded, ImageInfo
from service.engine.codecs.metadata import NOTHING, Metadata
from service.engine.codecs.pillow_state import own_process
from service.engine.codecs.sniff import sniff
from service.engine.errors import MemoryLimit
from service.engine.machine.limits import Limits

__all__ = [
    "Buffer",
    "Coding",
    "Compression",
    "Decoded",
    "ImageInfo",
    "Metadata",
    "decode",
    "decode_bytes",
    "encode",
    "encode_bytes",
    "encode_npy",
    "encode_png",
    "inspect",
    "own_process",
]

_FIXED_BYTES = 32 * 2**20
_PICTURE_BYTES = {"jpeg": 16, "webp": 30, "gif": 20, "bmp": 30, "tiff": 20, "avif": 28}
"""Most bytes per pixel to read: planes, coefficients and canvases of the decoders, Pillow's four bytes, conversions.

Measured in 2026 with Pillow 13 at 6 million pixels, in the worst form found (progressive CMYK, lossless with alpha,
...): 14, 21, 13, 12, 14, 18.
"""
_WRITTEN_BYTES = {"jpeg": 14, "webp": 56, "avif": 64}
"""Most bytes per pixel to write: Pillow's four bytes, the encoders' planes and coefficients, the file twice.

Measured as above, on noise at the highest quality with alpha: 10, 48, 60.
"""
_SAMPLES_OF_TIFF = 5
"""Pictures held at once while tifffile reads one: padded tiles, the picture, the result made from it."""


PLAIN = Coding()


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
    """Read the pixels of an image that `inspect` has described. Raises `InvalidImage` and `MemoryLimit`."""
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
    """Bound the bytes that `decode` needs at its peak, including its result but not the encoded data."""
    pixels = info.width * info.height
    pixel_bytes = info.channels * np.dtype(info.dtype).itemsize
    match info.format:
        case "png":  # twice for turning the image, plus a row's intermediate arrays
            return 2 * pixels * pixel_bytes + max(info.width, info.height) * (4 * pixel_bytes + 24) + _FIXED_BYTES
        case "npy":  # a copy, and an array that tells which numbers are finite
            return pixels * (pixel_bytes + info.channels) + _FIXED_BYTES
        case "tiff":
            pillows, own = pixels * _PICTURE_BYTES["tiff"], pixels * pixel_bytes * _SAMPLES_OF_TIFF + tiff.SPARE_BYTES
            return max(pillows, own) + _FIXED_BYTES
        case picture:
            return pixels * _PICTURE_BYTES[picture] + _FIXED_BYTES


def encode(kind: str, image: NDArray[Any], how: Coding = PLAIN) -> bytes:
    """Write an image (H, W, C) that the format can hold; raises MemoryError. The bytes are the same each time.

    "png" takes uint8 or uint16 and 1 to 4 channels; "jpeg" uint8 and 1 or 3; "webp" and "avif" uint8 and 1 to 4;
    "tiff" uint8, uint16 or float32 and any number.
    """
    match kind:
        case "png":
            return png_writer.encode(image, how.compression, how.icc, how.metadata, how.threads)
        case "jpeg":
            return jpeg.encode(image, how)
        case "webp":
            return picture_writer.webp(image, how)
        case "avif":
            return picture_writer.avif(image, how)
        case "tiff":
            return tiff_writer.encode(image, how)
        case _:
            raise ValueError(kind)


def encode_bytes(kind: str, pixels: int, written: int, compression: Compression = "fast") -> int:
    """Bound the bytes that `encode` needs at its peak besides the image, for `pixels` pixels and `written` bytes."""
    if kind in _WRITTEN_BYTES:
        return pixels * _WRITTEN_BYTES[kind] + _FIXED_BYTES
    if kind == "tiff":
        return 3 * written + _FIXED_BYTES
    return written + (png_search.search_bytes(written) if compression == "small" else 0)


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
