"""Array helpers that several algorithms share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from ctypes import addressof, c_char
from math import prod
from typing import Any, cast

import numpy as np
from numpy.typing import DTypeLike, NDArray

CACHE_LINE = 64


def address(array: NDArray[Any]) -> int:
    place: int = array.__array_interface__["data"][0]
    return place


def aligned(shape: tuple[int, ...], kind: DTypeLike, make: Callable[..., NDArray[Any]] = np.zeros) -> NDArray[Any]:
    """Make an array that begins at a cache line."""
    number, size = np.dtype(kind), prod(shape)
    memory = make(size + CACHE_LINE // number.itemsize, number)
    skipped = before_line(memory) // number.itemsize
    return memory[skipped : skipped + size].reshape(shape)


def bytes_in(*groups: Iterable[object]) -> int:
    """Count the bytes of the arrays among the groups' objects."""
    return sum(getattr(part, "nbytes", 0) for group in groups for part in group)


def before_line(memory: NDArray[Any]) -> int:
    """Count the bytes of `memory` before the first cache line that begins in it."""
    return -addressof(c_char.from_buffer(cast("Any", memory))) % CACHE_LINE


def stored(result: NDArray[Any], dtype: DTypeLike, out: NDArray[Any] | None = None) -> NDArray[Any]:
    """Convert `result` to `dtype`; an integer type rounds half to even and clips.

    `result` is overwritten on the way. With `out`, of the same dtype and shape, the numbers are stored there.
    """
    kind = np.dtype(dtype)
    if kind.kind == "u":
        highest = np.iinfo(kind).max
        if result.dtype.kind == "f":
            np.rint(result, out=result)
            np.clip(result, 0, highest, out=result)
        else:
            np.clip(result, 0, min(highest, np.iinfo(result.dtype).max), out=result)
    if out is None:
        return result.astype(kind, copy=False)
    if result.ndim == 3 and not (_has_whole_pixels(result) and _has_whole_pixels(out)):
        for channel in range(result.shape[2]):  # otherwise NumPy loops over pixels, a few numbers at a time
            np.copyto(out[:, :, channel], result[:, :, channel], casting="unsafe")
    else:
        np.copyto(out, result, casting="unsafe")
    return out


def _has_whole_pixels(image: NDArray[Any]) -> bool:
    """Tell whether the samples of each row of (H, W, C) are contiguous."""
    return image.strides[1:] == (image.shape[2] * image.itemsize, image.itemsize)
