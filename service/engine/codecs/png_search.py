"""A PNG made smaller: other filters for its rows, and a longer search for matches, by oxipng and libdeflate.

How much is tried depends on the size of the image alone, never on the clock: the same image gives the same bytes.
Colour type and depth stay, so that a reader of samples as they are stored finds what the answer says.
"""

from __future__ import annotations

from typing import NamedTuple


class _Effort(NamedTuple):
    """One of oxipng's levels: for images of up to so many bytes, and how many bytes it needs for each of these."""

    most_bytes: int
    level: int
    needs: int


_EFFORTS = (
    _Effort(4_000_000, 4, 12),
    _Effort(12_000_000, 2, 9),
    _Effort(24_000_000, 1, 7),
    _Effort(48_000_000, 0, 6),
)
"""A megabyte takes one thread up to 1.3, 0.6, 0.36 and 0.06 s: no image more than 9 s. Larger ones stay as they are.

Measured in 2026 with oxipng 10.2, as is what they need: noise of these sizes takes 50, 118, 144 and 260 MB.
"""
_TABLES_BYTES = 32 * 2**20
"""What libdeflate keeps while it searches."""


def smaller(png: bytes, image_bytes: int) -> bytes:
    """Give the file with the same pixels and chunks, or as it is if nothing smaller is found.

    `image_bytes` are those of its samples.
    """
    effort = _effort(image_bytes)
    if effort is None:
        return png
    import oxipng  # noqa: PLC0415 -- a library of 2 MB that only such files are worth

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
