"""How bytes are deflated: pieces that end on a byte's border with an empty stored block, so that others may follow."""

from __future__ import annotations

import zlib
from types import ModuleType
from typing import Any

import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray

from service.engine.machine import compiled

Bytes = NDArray[np.uint8]
Pieces = list[bytes | memoryview]

_NOWHERE = np.empty(0, np.uint8)
_VERY_FEW_BYTES, _FEW_BYTES = 4096, 4 * 4096
_LEAST_SAVED = 0.008
_SAMPLES, _SAMPLE_BYTES = 4, 4096
_WORTH_A_TRY = {True: 0.94, False: 1.02}
"""Bytes by ISA-L over bytes by our own coder, for samples that are dense or not.

To search dense ones takes as long as all else that writing a PNG takes, so it has to gain something.
"""


def fast(data: Bytes) -> Pieces:
    """Deflate bytes, (n,), that are small or run on, as those of filtered rows do.

    On photographs, Huffman codes of literals and runs take 0.4 to 0.7 of the time of ISA-L's search for matches, and
    0.8 to 0.93 of its bytes. Text, tiles and gradients repeat themselves otherwise: ISA-L's can be a tenth as many.
    As long as those codes are not compiled, ISA-L does it all.
    """
    loops = compiled.loops("deflate")
    if loops is None:
        matched = _by_isal(data)
        return matched if _size(matched) <= len(data) else _as_they_are(data)
    starts = range(0, len(data), loops.MOST_BYTES)
    return [piece for start in starts for piece in _fast(data[start : start + loops.MOST_BYTES], loops)]


def _fast(data: Bytes, loops: ModuleType) -> Pieces:
    out = np.empty(len(data) + loops.END_BYTES, np.uint8)
    size, bits, saved = loops.code(data, out)
    if _worth_a_search(data, saved, loops, dense=bits >= loops.DENSE * len(data)):
        matched = _by_isal(data)
        if 8 * _size(matched) < min(bits, 8 * len(data)):
            return matched
    if bits > 8 * len(data):
        return _as_they_are(data)
    return [out[:size].data]


def _worth_a_search(data: Bytes, saved: float, loops: ModuleType, *, dense: bool) -> bool:
    """Tell whether matches may make the file smaller; in few bytes it takes little time to try."""
    if len(data) <= _VERY_FEW_BYTES:
        return True
    if dense and saved < _LEAST_SAVED:
        return False
    return len(data) <= _FEW_BYTES or _repeats(data, loops, dense=dense)


def _repeats(data: Bytes, loops: ModuleType, *, dense: bool) -> bool:
    """Tell from samples."""
    last = len(data) - _SAMPLE_BYTES
    starts = (last * sample // (_SAMPLES - 1) for sample in range(_SAMPLES))
    samples = np.concatenate([data[start : start + _SAMPLE_BYTES] for start in starts])
    _, bits, _ = loops.code(samples, _NOWHERE)
    return 8 * _size(_by_isal(samples)) < _WORTH_A_TRY[dense] * float(bits)


def _by_isal(data: Bytes) -> Pieces:
    return _flushed(isal_zlib.compressobj(1, isal_zlib.DEFLATED, -15), data)


def _as_they_are(data: Bytes) -> Pieces:
    return _flushed(zlib.compressobj(0, zlib.DEFLATED, -15, 9), data)


def _flushed(stream: Any, data: Bytes) -> Pieces:
    return [stream.compress(data), stream.flush(zlib.Z_SYNC_FLUSH)]


def _size(pieces: Pieces) -> int:
    return sum(map(len, pieces))
