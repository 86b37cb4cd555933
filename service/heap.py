"""Memory that a process keeps for its next large blocks, where the C library is glibc."""

from __future__ import annotations

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
KEPT_BYTES = 64 << 20
"""Free memory that is kept: touching new pages was a fifth of a job of 2 megapixels, half of taking in its body."""
FROM_THE_HEAP = 32 << 20
"""Larger blocks go back as soon as they are free; glibc takes no more than this."""


def keep_memory() -> None:
    """Tell glibc, where it is that, not to give every large block back to the kernel."""
    if sys.platform == "linux" and (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)):
        mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)
        mallopt(M_MMAP_THRESHOLD, FROM_THE_HEAP)
