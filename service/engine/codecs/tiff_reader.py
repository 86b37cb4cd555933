"""Read the samples of a checked TIFF with tifffile.

tifffile assembles strips and tiles. It gets a newly made file: the samples, inflated here and never beyond their own
size, and a directory of checked tags. Nothing else of the client's file reaches it.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from io import BytesIO
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from service.engine.codecs import tiff_directory as tags
from service.engine.codecs.base import Decoded
from service.engine.codecs.finite import check_finite
from service.engine.codecs.metadata import Metadata, fitting_profile, upright
from service.engine.codecs.tiff import (
    ASSOCIATED,
    BLACK_IS_ZERO,
    BY_IMAGECODECS,
    DEFLATE,
    FLOAT,
    FLOATING,
    HORIZONTAL,
    PACKBITS,
    PLANES,
    SIGNED,
    UNSIGNED,
    WHITE_IS_ZERO,
    Samples,
    places,
    resolution,
)
from service.engine.errors import InvalidImage


def decode(samples: Samples) -> Decoded:
    """Read the samples, upright. Raises `InvalidImage`."""
    stored = _arranged(samples, _assembled(samples))
    image = _as_picture(samples, stored) if not samples.as_array else stored
    image = upright(image.astype(samples.dtype, copy=False), samples.orientation)
    check_finite(image)
    directory = samples.directory
    profile = None if samples.as_array else fitting_profile(directory.content(tags.ICC_PROFILE), samples.kept)
    return Decoded(image, profile, Metadata(density=resolution(directory)).turned(samples.orientation))


def _assembled(samples: Samples) -> NDArray[Any]:
    """Let tifffile assemble strips or tiles."""
    import tifffile  # noqa: PLC0415 -- only such files are worth 20 ms and 10 MB

    with tifffile.TiffFile(_rewritten(samples)) as file:
        pixels: NDArray[Any] = file.pages.first.asarray(squeeze=False, maxworkers=1)
    return pixels


def _arranged(samples: Samples, pixels: NDArray[Any]) -> NDArray[Any]:
    """Rearrange tifffile's (planes, depth, H, W, samples) to (H, W, C)."""
    if samples.planar == PLANES:
        pixels = pixels.transpose(4, 1, 2, 3, 0)
    return pixels.reshape(samples.height, samples.width, samples.channels)


def _as_picture(samples: Samples, pixels: NDArray[Any]) -> NDArray[Any]:
    """Turn stored samples into levels: black is zero, and colour is not multiplied by alpha."""
    full = np.iinfo(pixels.dtype).max
    if samples.photometric == WHITE_IS_ZERO and samples.channels == 1:
        pixels = full - pixels
    pixels = pixels[:, :, : samples.kept]
    if samples.alpha == ASSOCIATED:
        alpha = pixels[:, :, -1:].astype(np.uint32)
        colour = (pixels[:, :, :-1] * np.uint32(full) + alpha // 2) // np.maximum(alpha, 1)
        pixels = np.concatenate([np.minimum(colour, full).astype(pixels.dtype), pixels[:, :, -1:]], axis=2)
    return pixels


def _rewritten(samples: Samples) -> BytesIO:
    """Write the inflated samples and the checked tags, and nothing else, to a BigTIFF."""
    order, file = samples.directory.order, BytesIO()
    file.write(struct.pack(order + "2sHHHQ", b"II" if order == "<" else b"MM", 43, 8, 0, 0))
    offsets, inflate = [file.tell()], _inflater(samples.compression)
    count = sum(1 for _ in samples.segments())
    for offset, size, (rows, needed) in zip(*places(samples, count), samples.segments(), strict=True):
        content = inflate(samples.directory.data[offset : offset + size], needed)
        if len(content) < needed:
            raise InvalidImage("damaged TIFF: it has fewer pixels than its directory says")
        file.write(_predicted(samples, content, rows))
        offsets.append(file.tell())
    _write_directory(samples, file, offsets)
    file.seek(0)
    return file


def _write_directory(samples: Samples, file: BytesIO, offsets: list[int]) -> None:
    order = samples.directory.order
    sizes = [stop - start for start, stop in pairwise(offsets)]
    lists = file.tell()
    file.write(struct.pack(f"{order}{len(sizes)}Q{len(sizes)}Q", *offsets[:-1], *sizes))
    start = file.tell()
    sample_format = {"u": UNSIGNED, "i": SIGNED, "f": FLOAT}[samples.stored[0]]
    rows, columns = samples.segment
    entries = {
        tags.WIDTH: samples.width,
        tags.HEIGHT: samples.height,
        tags.COMPRESSION: 1,
        tags.PHOTOMETRIC: BLACK_IS_ZERO,
        tags.SAMPLES: samples.channels,
        tags.PLANAR: samples.planar,
        tags.BITS: 8 * samples.sample_bytes,
        tags.SAMPLE_FORMAT: sample_format,
    }
    entries |= {tags.TILE_WIDTH: columns, tags.TILE_HEIGHT: rows} if samples.tile else {tags.ROWS_PER_STRIP: rows}
    packed = {tag: struct.pack(order + "HHQQ", tag, 16, 1, value) for tag, value in entries.items()}
    begin, size = (tags.TILE_OFFSETS, tags.TILE_BYTES) if samples.tile else (tags.STRIP_OFFSETS, tags.STRIP_BYTES)
    one = len(sizes) == 1
    for tag, value, place in ((begin, offsets[0], lists), (size, sizes[0], lists + 8 * len(sizes))):
        packed[tag] = struct.pack(order + "HHQQ", tag, 16, len(sizes), value if one else place)
    file.write(struct.pack(order + "Q", len(packed)) + b"".join(packed[tag] for tag in sorted(packed)) + bytes(8))
    file.seek(8)
    file.write(struct.pack(order + "Q", start))


def _inflater(compression: int) -> Callable[[memoryview, int], bytes | memoryview]:
    """Return the function that inflates a strip or tile to at most the given number of bytes."""
    if compression == 1:
        return lambda content, size: content[:size]
    if compression == PACKBITS:
        return _unpacked
    if compression in DEFLATE:
        return _inflated
    import imagecodecs  # noqa: PLC0415 -- an extra

    function = getattr(imagecodecs, BY_IMAGECODECS[compression])
    return lambda content, size: bytes(function(bytes(content), out=size))


def _unpacked(content: memoryview, size: int) -> bytes:
    """Undo PackBits as Pillow does, treating the strip as one long row: runs may cross the picture's rows."""
    return Image.frombytes("L", (size, 1), content, "packbits", "L").tobytes()


def _inflated(content: memoryview, size: int) -> bytes:
    stream = zlib.decompressobj()
    inflated = stream.decompress(content, size)
    stream.decompress(stream.unconsumed_tail, 1)  # if the stream ends here, this checks its checksum
    return inflated


def _predicted(samples: Samples, content: bytes | memoryview, rows: int) -> bytes | memoryview:
    """Undo the predictor, which stored differences along each row (TIFF 6.0, section 14, and technical note 3)."""
    order, size, together = samples.directory.order, samples.sample_bytes, samples.together
    if samples.predictor == HORIZONTAL:
        number = np.dtype(f"{order}u{size}")
        differences = np.frombuffer(content, number).reshape(rows, -1, together)
        return np.cumsum(differences, axis=1, dtype=number.newbyteorder("=")).astype(number).tobytes()
    if samples.predictor == FLOATING:  # the bytes of a row, most significant first
        octets = np.frombuffer(content, np.uint8).reshape(rows, -1, together)
        by_rank = np.cumsum(octets, axis=1, dtype=np.uint8).reshape(rows, size, -1).transpose(0, 2, 1)
        return (by_rank if order == ">" else by_rank[:, :, ::-1]).tobytes()
    return content
