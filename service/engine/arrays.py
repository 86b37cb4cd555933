"""Small things that several algorithms do to arrays."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

CACHE_LINE = 64


def aligned(shape: tuple[int, ...], number: np.dtype[Any]) -> NDArray[Any]:
    """Make an array of zeros that begins with a cache line."""
    size = prod(shape)
    memory = np.zeros(size + CACHE_LINE // number.itemsize, number)
    skipped = -memory.ctypes.data % CACHE_LINE // number.itemsize
    return memory[skipped : skipped + size].reshape(shape)


def stored(result: NDArray[Any], dtype: DTypeLike, out: NDArray[Any] | None = None) -> NDArray[Any]:
    """Give the numbers of `result` as `dtype`; an integer type rounds half to even and clips.

    `result` is overwritten on the way. With `out`, of that dtype and of the same shape, the numbers land there.
    """
    kind = np.dtype(dtype)
    if kind.kind == "u":
        highest = np.iinfo(kind).max
        if result.dtype.kind == "f":
            np.rint(result, out=result)
            np.clip(result, 0, highest, out=result)
        elif np.iinfo(result.dtype).max > highest:
            np.minimum(result, highest, out=result)
    if out is None:
        return result.astype(kind, copy=False)
    np.copyto(out, result, casting="unsafe")
    return out
