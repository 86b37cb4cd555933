"""NPY arrays, read with suspicion and written plainly (NumPy enhancement proposal 1, numpy.lib.format)."""

from __future__ import annotations

import ast
import math
import tokenize
from io import StringIO
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from service.engine.codecs.base import Buffer, Decoded, Dtype, ImageInfo, check_pixels
from service.engine.codecs.finite import check_finite
from service.engine.codecs.pillow_state import quiet
from service.engine.errors import InvalidImage, TooManyChannels
from service.engine.machine.limits import Limits

MAX_HEADER_BYTES = 64 * 1024
MAX_HEADER_TEXT = 1024
"""Longest header without its trailing blanks; that of a supported array has some 80 characters."""

_MAGIC = b"\x93NUMPY"
_BLANKS = b" \t\f\r\n"
"""Blanks in Python source; `bytes.rstrip` alone also strips a vertical tab, which NumPy refuses."""
_LENGTH_BYTES = {b"\x01\x00": 2, b"\x02\x00": 4, b"\x03\x00": 4}
"""Size of the header length field, by version."""
_UNICODE = b"\x03\x00"
_CODES = ("u1", "u2", "f4", "f8", "B", "H", "f", "d")
_ORDERS = ("", "<", ">", "=", "|")
_WORDS = ("uint8", "ubyte", "uint16", "ushort", "float32", "single", "float64", "double", "float")
_DTYPES = {spelling: np.dtype(spelling) for spelling in (*(o + c for c in _CODES for o in _ORDERS), *_WORDS)}
"""Types by their spelling in NumPy; no other text is passed to NumPy."""


class _Header(NamedTuple):
    dtype: np.dtype[Any]
    fortran_order: bool
    shape: tuple[int, ...]
    start: int


def inspect(data: Buffer, limits: Limits) -> ImageInfo:
    """Read the header. Raises `InvalidImage`, `ImageTooLarge` and `TooManyChannels`."""
    header = _read_header(data)
    height, width, channels = (*header.shape, 1)[:3]
    check_pixels(width, height, limits)
    if channels < 1:
        raise InvalidImage("the array has no channels")
    if channels > limits.max_channels:
        raise TooManyChannels(f"the array has {channels:,} channels; at most {limits.max_channels:,} are taken")
    promised = math.prod(header.shape) * header.dtype.itemsize
    if len(data) - header.start != promised:
        raise InvalidImage(f"damaged NPY: {promised:,} bytes should follow the header, {len(data) - header.start:,} do")
    return ImageInfo("npy", width, height, channels, cast(Dtype, header.dtype.name), alpha=False)


def decode(data: Buffer, info: ImageInfo) -> Decoded:
    """Read the array, without a copy if its layout allows. Raises `InvalidImage`."""
    header = _read_header(data)
    stored = np.frombuffer(data, header.dtype, offset=header.start)
    shaped = stored.reshape(header.shape, order="F" if header.fortran_order else "C")
    image = np.require(shaped.reshape(info.height, info.width, info.channels), info.dtype, ["C", "A"])
    check_finite(image)
    return Decoded(image, None)


def encode(image: NDArray[Any]) -> bytes:
    """Write an array as little-endian float32 in C order, format 1.0."""
    samples = np.ascontiguousarray(image, "<f4")
    header = repr({"descr": "<f4", "fortran_order": False, "shape": samples.shape})
    start = len(_MAGIC) + 4
    padded = header + " " * (-(start + len(header) + 1) % 64) + "\n"
    length = len(padded).to_bytes(2, "little")
    return b"".join([_MAGIC, b"\x01\x00", length, padded.encode("ascii"), samples.data])


def _read_header(data: Buffer) -> _Header:
    size = _LENGTH_BYTES.get(bytes(data[6:8]))
    if size is None:
        raise InvalidImage("damaged NPY: its format version is not 1.0, 2.0 or 3.0")
    start = 8 + size
    length = int.from_bytes(data[8:start], "little")
    if length > MAX_HEADER_BYTES:
        raise InvalidImage(f"the NPY header has {length:,} bytes; at most {MAX_HEADER_BYTES:,} are read")
    if start + length > len(data):
        raise InvalidImage("damaged NPY: it ends within its header")
    return _parsed(bytes(data[start : start + length]), bytes(data[6:8]), start + length)


def _parsed(header: bytes, version: bytes, start: int) -> _Header:
    """Read the dictionary, which must have exactly the expected entries."""
    text = header.strip(_BLANKS)
    if len(text) > MAX_HEADER_TEXT:
        raise InvalidImage(f"the NPY header has {len(text):,} characters; at most {MAX_HEADER_TEXT:,} are read")
    fields = _literal(text, version)
    if not isinstance(fields, dict) or fields.keys() != {"descr", "fortran_order", "shape"}:
        raise InvalidImage("damaged NPY: its header must have descr, fortran_order and shape, and nothing else")
    descr, fortran_order, shape = fields["descr"], fields["fortran_order"], fields["shape"]
    if not isinstance(descr, str) or descr not in _DTYPES:
        raise InvalidImage(f"the array has dtype {descr!r}; it must be uint8, uint16, float32 or float64")
    if not isinstance(fortran_order, bool):
        raise InvalidImage("damaged NPY: fortran_order is neither True nor False")
    if not isinstance(shape, tuple) or any(type(size) is not int or size < 0 for size in shape):
        raise InvalidImage("damaged NPY: its shape is not a tuple of sizes")
    if len(shape) not in {2, 3}:
        raise InvalidImage(f"the array has {len(shape)} dimensions; it must be (H, W) or (H, W, C)")
    return _Header(_DTYPES[descr], fortran_order, shape, start)


def _literal(text: bytes, version: bytes) -> object:
    """Read literals; if that fails, try again without the L that Python 2 put after long integers."""
    try:
        source = text.decode("utf-8" if version == _UNICODE else "latin-1")
        with quiet():  # Python's parser warns about some texts; keep that out of the log
            try:
                return ast.literal_eval(source)
            except SyntaxError:
                if version == _UNICODE:  # Python 2 never wrote this version
                    raise
                return ast.literal_eval(_without_long(source))
    except Exception:  # whatever Python's parser makes of hostile text
        raise InvalidImage("damaged NPY: its header is not a Python dictionary of plain values") from None


def _without_long(source: str) -> str:
    """Drop each L behind a number where Python's tokenizer finds one, as NumPy does, but none in a text."""
    kept, number = [], False
    for token in tokenize.generate_tokens(StringIO(source).readline):
        if not (number and token.string == "L"):
            kept.append(token)
            number = token.type == tokenize.NUMBER
    return tokenize.untokenize(kept)
