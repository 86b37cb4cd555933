"""Small files of every kind, made without the code under test."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
SIGNATURE = b"\x89PNG\r\n\x1a\n"


def image_of(height: int, width: int, channels: int, dtype: Any = np.uint8, seed: int = 0) -> NDArray[Any]:
    """Make a smooth picture with a little noise, so that every filter is chosen somewhere."""
    noise = np.random.default_rng(seed).integers(0, 9, (height, width, channels))
    rows, columns, planes = np.ogrid[:height, :width, :channels]
    levels = (3 * rows + 5 * columns + 40 * planes + noise) % 256
    samples: NDArray[Any] = (levels * 257 + noise if dtype == np.uint16 else levels).astype(dtype)
    return samples


def chunk(kind: bytes, content: bytes = b"") -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(
    samples: NDArray[Any],
    depth: int,
    colour: int,
    *,
    interlaced: bool = False,
    before: Iterable[bytes] = (),
    after: Iterable[bytes] = (),
    idat_bytes: int = 1000,
) -> bytes:
    """Write samples (H, W, samples) as they are to stand in the file, with all five filters in turn."""
    height, width = samples.shape[:2]
    raw = b"".join(_filtered(rows, depth) for rows in _passes(samples, interlaced=interlaced))
    stream = zlib.compress(raw)
    pixels = (chunk(b"IDAT", stream[i : i + idat_bytes]) for i in range(0, len(stream), idat_bytes))
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    return b"".join([SIGNATURE, chunk(b"IHDR", header), *before, *pixels, *after, chunk(b"IEND")])


def _passes(samples: NDArray[Any], *, interlaced: bool) -> Iterator[NDArray[Any]]:
    for left, top, across, down in ADAM7 if interlaced else ((0, 0, 1, 1),):
        part = samples[top::down, left::across]
        if part.size:
            yield part


def _filtered(samples: NDArray[Any], depth: int) -> bytes:
    pixel = max(1, depth * samples.shape[2] // 8)
    prior = b""
    rows = []
    for y, row in enumerate(samples):
        packed = _packed(row.reshape(-1), depth)
        prior = prior or bytes(len(packed))
        rows.append(bytes([y % 5, *_residuals(packed, prior, pixel, y % 5)]))
        prior = packed
    return b"".join(rows)


def _packed(row: NDArray[Any], depth: int) -> bytes:
    if depth == 16:
        return row.astype(">u2").tobytes()
    bits = "".join(format(int(sample), f"0{depth}b") for sample in row)
    bits += "0" * (-len(bits) % 8)
    return bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits), 8))


def _residuals(row: bytes, prior: bytes, pixel: int, way: int) -> Iterator[int]:
    for i, byte in enumerate(row):
        left, above = row[i - pixel] if i >= pixel else 0, prior[i]
        corner = prior[i - pixel] if i >= pixel else 0
        estimate = left + above - corner
        nearest = min((left, above, corner), key=lambda value: abs(estimate - value))
        yield (byte - (0, left, above, (left + above) // 2, nearest)[way]) % 256


def unfiltered(data: bytes, pixel: int, row_bytes: int) -> bytes:
    """Read the pixels of a PNG that is not interlaced, by the letter of the specification."""
    stream, position = b"", len(SIGNATURE)
    while position < len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        stream += data[position + 8 : position + 8 + length] if kind == b"IDAT" else b""
        position += 12 + length
    raw = zlib.decompress(stream)
    prior, rows = bytes(row_bytes), []
    for start in range(0, len(raw), row_bytes + 1):
        way, row = raw[start], bytearray(raw[start + 1 : start + 1 + row_bytes])
        for i, byte in enumerate(row):
            left, above = row[i - pixel] if i >= pixel else 0, prior[i]
            corner = prior[i - pixel] if i >= pixel else 0
            estimate = left + above - corner
            nearest = min((left, above, corner), key=lambda value, p=estimate: abs(p - value))  # type: ignore[misc]
            row[i] = (byte + (0, left, above, (left + above) // 2, nearest)[way]) % 256
        prior = bytes(row)
        rows.append(prior)
    return b"".join(rows)


def saved(image: Image.Image | NDArray[Any], form: str, **options: Any) -> bytes:
    """Let Pillow write a file."""
    file = BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(file, form, **options)
    return file.getvalue()


def npy(array: NDArray[Any]) -> bytes:
    file = BytesIO()
    np.save(file, array)
    return file.getvalue()


def exif(orientation: int) -> bytes:
    block = Image.Exif()
    block[0x0112] = orientation
    return block.tobytes()


def profile(space: bytes, length: int = 200) -> bytes:
    """Make the header of an ICC profile with nothing of use behind it."""
    return struct.pack(">I", length) + bytes(8) + b"mntr" + space + b"XYZ " + bytes(12) + b"acsp" + bytes(length - 40)


def one_of_each() -> dict[str, bytes]:
    """Small files of every format, some in several forms."""
    rgb = image_of(9, 11, 3)
    gray = rgb[:, :, 0]
    rgba = np.dstack([rgb, gray[::-1]])
    return {
        "png": saved(rgb, "PNG"),
        "png palette": saved(Image.fromarray(rgb).quantize(5), "PNG", bits=4, transparency=1),
        "png interlaced 16": png(image_of(9, 11, 3, np.uint16), 16, 2, interlaced=True),
        "jpeg": saved(rgb, "JPEG", exif=exif(6)),
        "jpeg progressive": saved(rgb, "JPEG", progressive=True),
        "jpeg cmyk": saved(Image.fromarray(rgb).convert("CMYK"), "JPEG"),
        "webp": saved(rgb, "WEBP"),
        "webp lossless": saved(rgba, "WEBP", lossless=True, exif=exif(3)),
        "gif": saved(Image.fromarray(rgb).quantize(9), "GIF", transparency=2),
        "gif gray": saved(gray, "GIF"),
        "bmp": saved(rgb, "BMP"),
        "bmp palette": saved(Image.fromarray(rgb).quantize(9), "BMP"),
        "tiff": saved(rgb, "TIFF"),
        "tiff lzw": saved(rgba, "TIFF", compression="tiff_lzw"),
        "tiff gray 16": saved(image_of(9, 11, 1, np.uint16)[:, :, 0], "TIFF"),
        "avif": saved(rgb, "AVIF"),
        "avif alpha": saved(rgba, "AVIF", exif=exif(6)),
        "npy": npy(rgb.astype(np.float32)),
        "npy fortran": npy(np.asfortranarray(gray.astype(">u2"))),
    }
