"""Read every PNG: all depths, palettes, interlacing, transparency, 16 bits.

The default image of an animation is read. Pixels are inflated strip by strip, never beyond what the header promises.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from isal import igzip_lib, isal_zlib
from numpy.typing import NDArray

from service.engine.codecs import png_filters
from service.engine.codecs import png_header as png
from service.engine.codecs.base import Buffer, Decoded, Dtype, ImageInfo, check_pixels
from service.engine.codecs.metadata import orientation, transposes, upright
from service.engine.codecs.png_header import damaged
from service.engine.machine import compiled, parallel
from service.engine.machine.limits import Limits

STRIP_BYTES = 256 * 1024
"""Bytes of filtered rows, or pixels smaller than a byte, inflated at once: they stay in the second-level cache."""
_LONG_STRIP_BYTES = 1024 * 1024
"""The same for rows so long that fewer than are read together would fit."""
_TOGETHER = 8
"""Rows that the compiled loop unfilters side by side."""
_HIGH_STRIP_BYTES, _HIGHEST_STRIP_BYTES = 2 * 1024 * 1024, 8 * 1024 * 1024
"""For NumPy, which takes a step per row and column of a strip; the second if the samples need little work."""

_FEED_BYTES = 1024 * 1024
_WHOLE = ((0, 0, 1, 1),)
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""First column, first row, column step and row step of each pass."""

_UNPACKED = {
    depth: (np.arange(256, dtype=np.uint8)[:, None] >> np.arange(8 - depth, -1, -depth)).astype(np.uint8) % 2**depth
    for depth in (1, 2, 4)
}
"""The samples in each byte, by depth: (256, 8 / depth)."""

_NO_ROW = np.empty(0, np.uint8)


def inspect(data: Buffer, limits: Limits) -> ImageInfo:
    """Read the header. Raises `InvalidImage` and `ImageTooLarge`."""
    header = png.read_header(memoryview(data))
    check_pixels(header.width, header.height, limits)
    width, height = header.width, header.height
    if transposes(orientation(header.exif)):
        width, height = height, width
    dtype: Dtype = "uint16" if header.depth == 16 else "uint8"
    alpha = header.channels in {2, 4}
    return ImageInfo("png", width, height, header.channels, dtype, alpha, header.gamma)


def decode(data: Buffer, threads: int = 1) -> Decoded:
    """Read the image, in two threads if `threads` allows. Raises `InvalidImage`."""
    view = memoryview(data)
    header = png.read_header(view)
    shape = (header.height, header.width, header.channels)
    image = np.empty(shape, np.uint16 if header.depth == 16 else np.uint8)
    source = _Inflater(view, header.pixels)
    finish = _finish_side_by_side if threads > 1 and image.nbytes > STRIP_BYTES else _finish
    finish(header, _strips(header, source, image))
    source.finish()
    turned = orientation(header.exif)
    return Decoded(upright(image, turned), header.icc, header.metadata.turned(turned))


def _finish(header: png.Header, strips: Iterator[_Strip]) -> None:
    above = _NO_ROW
    for strip in strips:
        above = _finish_strip(header, strip, above)


def _finish_side_by_side(header: png.Header, strips: Iterator[_Strip]) -> None:
    """Finish all strips, inflating one while another thread makes pixels of the one before it."""
    above, strip = _NO_ROW, next(strips, None)
    while strip:
        coming: _Strip | None = None

        def inflate() -> None:
            nonlocal coming
            coming = next(strips, None)

        def finish(strip: _Strip = strip) -> None:
            nonlocal above
            above = _finish_strip(header, strip, above)

        parallel.each(_call, (inflate, finish), 2)
        strip = coming


def _call(work: Callable[[], None]) -> None:
    work()


def _finish_strip(header: png.Header, strip: _Strip, above: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Make pixels of a strip below the unfiltered row `above`; returns the strip's last row."""
    rows, row_bytes = len(strip.filtered), strip.filtered.shape[1] - 1
    if strip.first:
        above = np.zeros(row_bytes, np.uint8)
    at_once = header.as_stored and strip.target.flags.c_contiguous
    unfiltered: NDArray[np.uint8] = (
        strip.target.reshape(rows, row_bytes) if at_once else np.empty((rows, row_bytes), np.uint8)
    )
    unfilter_rows = getattr(compiled.loops("unfilter"), "unfilter_rows", png_filters.unfilter_rows)
    if not unfilter_rows(strip.filtered, above, max(1, header.depth * header.samples // 8), unfiltered):
        raise damaged("a row names a filter that does not exist")
    if not at_once:
        strip.target[:] = _colours(header, _samples(header, unfiltered, strip.target.shape[1]))
    last: NDArray[np.uint8] = unfiltered[-1]
    return last


class _Inflater:
    """The rows of all passes, inflated piece by piece."""

    def __init__(self, view: memoryview, chunks: list[png.Chunk]) -> None:
        self._stream = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_ZLIB)
        self._feed = self._pieces(view, chunks)

    def read(self, size: int) -> bytes:
        """Inflate exactly `size` bytes."""
        pieces, missing = [], size
        while missing:
            pieces.append(self._inflate(missing))
            missing -= len(pieces[-1])
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def finish(self) -> None:
        """Check the remaining checksums; at most a strip of surplus pixels is inflated."""
        surplus = STRIP_BYTES
        while not self._stream.eof and surplus > 0:
            surplus -= len(self._inflate(surplus))
        for _ in self._feed:
            pass

    def _inflate(self, most: int) -> bytes:
        if self._stream.eof:
            raise damaged("it has fewer pixels than its header says")
        piece = next(self._feed, None) if self._stream.needs_input else b""
        if piece is None:
            raise damaged("its pixels are cut off")
        try:
            return self._stream.decompress(piece, most)
        except igzip_lib.IsalError:  # type: ignore[misc]  # isal's stub takes the class for an instance
            raise damaged("its compressed pixels do not make sense") from None

    @staticmethod
    def _pieces(view: memoryview, chunks: list[png.Chunk]) -> Iterator[memoryview]:
        for chunk in chunks:
            checksum = isal_zlib.crc32(chunk.kind)
            for start in range(chunk.start, chunk.stop, _FEED_BYTES):
                piece = view[start : min(start + _FEED_BYTES, chunk.stop)]
                checksum = isal_zlib.crc32(piece, checksum)
                yield piece
            png.check_sum(view, chunk, checksum)


class _Strip(NamedTuple):
    """Some rows of a pass, (rows, 1 + bytes), read-only, and their place in the image."""

    filtered: NDArray[np.uint8]
    target: NDArray[Any]
    first: bool


def _strips(header: png.Header, source: _Inflater, image: NDArray[Any]) -> Iterator[_Strip]:
    for left, top, across, down in _ADAM7 if header.interlaced else _WHOLE:
        target = image[top::down, left::across]
        height, width = target.shape[:2]
        row_bytes = 1 + (width * header.depth * header.samples + 7) // 8
        rows_each = _rows_each(header, max(row_bytes, width))
        for start in range(0, height if width else 0, rows_each):
            strip = target[start : start + rows_each]
            content = np.frombuffer(source.read(len(strip) * row_bytes), np.uint8)
            yield _Strip(content.reshape(-1, row_bytes), strip, first=start == 0)


def _rows_each(header: png.Header, row_bytes: int) -> int:
    """Choose how many rows are inflated at once: a multiple of those that are unfiltered together, if these fit."""
    if compiled.loops("unfilter") is None:
        plain = header.as_stored or (header.depth == 16 and header.transparency is None)
        return max(1, (_HIGHEST_STRIP_BYTES if plain else _HIGH_STRIP_BYTES) // row_bytes)
    whole = STRIP_BYTES // row_bytes // _TOGETHER * _TOGETHER
    return whole or max(1, min(_TOGETHER, _LONG_STRIP_BYTES // row_bytes))


def _samples(header: png.Header, rows: NDArray[np.uint8], width: int) -> NDArray[Any]:
    """Split rows of bytes into the file's numbers: (rows, width, samples)."""
    samples: NDArray[Any] = rows
    if header.depth == 16:
        samples = rows.view(">u2")
    elif header.depth < 8:
        samples = _UNPACKED[header.depth][rows].reshape(len(rows), -1)[:, :width]
    return samples.reshape(len(rows), width, header.samples)


def _colours(header: png.Header, samples: NDArray[Any]) -> NDArray[Any]:
    """Turn samples into the image's channels: full-range levels, palette colours, alpha from tRNS."""
    if header.colour == png.PALETTE:
        palette = _palette(header)
        if samples.max() >= len(palette):
            raise damaged("a pixel is of a colour that its palette does not have")
        colours: NDArray[Any] = palette[samples[:, :, 0]]
        return colours
    levels = samples * np.uint8(255 // (2**header.depth - 1)) if header.depth < 8 else samples
    if header.transparency is None:
        return levels
    clear = np.frombuffer(header.transparency, ">u2") & (2**header.depth - 1)
    opaque = 2 ** max(8, header.depth) - 1
    alpha = np.where((samples == clear).all(axis=2, keepdims=True), 0, opaque).astype(levels.dtype)
    return np.concatenate([levels, alpha], axis=2)


def _palette(header: png.Header) -> NDArray[np.uint8]:
    """Lay out the palette as (colours, 3), or (colours, 4) with tRNS, which may be shorter."""
    colours = np.frombuffer(header.palette or b"", np.uint8).reshape(-1, 3)
    if header.transparency is None:
        return colours
    alpha = np.full((len(colours), 1), 255, np.uint8)
    alpha[: len(header.transparency), 0] = np.frombuffer(header.transparency, np.uint8)
    return np.concatenate([colours, alpha], axis=1)
