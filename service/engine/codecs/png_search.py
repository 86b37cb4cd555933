"""Make a PNG smaller with other row filters and a longer search for matches, by oxipng and libdeflate.

How much is tried depends on the size of the image alone, never on the clock: the same image gives the same bytes.
Colour type and depth stay, so the stored samples are what the answer says.
"""

from __future__ import annotations

from typing import NamedTuple


class _Effort(NamedTuple):
    """One of oxipng's levels: the largest image in bytes it is used for, and the memory it needs per byte of image."""

    most_bytes: int
    level: int
    needs: int


_EFFORTS = (
    _Effort(4_000_000, 4, 12),
    _Effort(12_000_000, 2, 9),
    _Effort(24_000_000, 1, 7),
    _Effort(48_000_000, 0, 6),
)
"""A megabyte takes one thread up to 1.3, 0.6, 0.36 and 0.06 s: at most 9 s per image. Larger images are left alone.

Times and memory were measured in 2026 with oxipng 10.2: noise of these sizes takes 50, 118, 144 and 260 MB.
"""
_TABLES_BYTES = 32 * 2**20
"""Memory of libdeflate while it searches."""


def smaller(png: bytes, image_bytes: int) -> bytes:
    """Return a smaller file with the same pixels and chunks, or `png` itself if none is found.

    `image_bytes` is the size of its samples.
    """
    effort = _effort(image_bytes)
    if effort is None:
        return png
    import oxipng  # noqa: PLC0415 -- only such files are worth a library of 2 MB

    return oxipng.optimize_from_memory(
        png,
        level=effort.level,
        bit_depth_reduction=False,
        color_type_reduction=False,
        palette_reduction=False,
        grayscale_reduction=False,
    )


def search_bytes(image_bytes: int) -> int:
    """Bound the bytes that `smaller` needs at its peak."""
    effort = _effort(image_bytes)
    return 0 if effort is None else effort.needs * image_bytes + _TABLES_BYTES


def _effort(image_bytes: int) -> _Effort | None:
    return next((effort for effort in _EFFORTS if image_bytes <= effort.most_bytes), None)
