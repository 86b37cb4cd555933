"""Keep freed memory in the process for its next large blocks, if the C library is glibc."""

from __future__ import annotations

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
KEPT_BYTES = 64 << 20
"""Free memory that is kept: touching new pages took a fifth of a 2-megapixel job, and half of receiving its body."""
FROM_THE_HEAP = 32 << 20
"""Larger blocks go back to the kernel as soon as they are free; glibc accepts no larger threshold."""


def keep_memory() -> None:
    """Tell glibc, if it is the C library, not to return every large block to the kernel."""
    if sys.platform == "linux" and (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)):
        mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)
        mallopt(M_MMAP_THRESHOLD, FROM_THE_HEAP)
