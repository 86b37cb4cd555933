"""The directories of a TIFF, read with suspicion: tags and where their values lie (TIFF 6.0, section 2; BigTIFF)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import NamedTuple

from service.engine.codecs.base import Buffer
from service.engine.errors import InvalidImage

MAX_ENTRIES = 10_000
"""Most entries of a directory: Pillow reads each in Python."""

NEW_SUBFILE_TYPE, SUBFILE_TYPE, WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC = 254, 255, 256, 257, 258, 259, 262
MAKE, STRIP_OFFSETS, ORIENTATION, SAMPLES, ROWS_PER_STRIP, STRIP_BYTES = 271, 273, 274, 277, 278, 279
X_RESOLUTION, Y_RESOLUTION, PLANAR, RESOLUTION_UNIT, PREDICTOR = 282, 283, 284, 296, 317
TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_BYTES, SUB_DIRECTORIES = 322, 323, 324, 325, 330
EXTRA_SAMPLES, SAMPLE_FORMAT, FILL_ORDER, ICC_PROFILE, DNG_VERSION = 338, 339, 266, 34675, 50706

_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
"""Size of a value, by type."""
_INTEGERS = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 13: "I", 16: "Q", 17: "q", 18: "Q"}
UNSIGNED = frozenset({1, 3, 4})
"""The types for bytes, shorts and longs."""
SHORT, _RATIONAL = 3, 5


class Entry(NamedTuple):
    """Type and number of a tag's values, and the offsets of the values and of the entry itself."""

    kind: int
    number: int
    start: int
    place: int


@dataclass(frozen=True)
class Directory:
    """The entries of one directory; `order` is the byte order in `struct`'s notation."""

    data: memoryview
    order: str
    entries: dict[int, Entry]

    def integers(self, tag: int, *default: int) -> tuple[int, ...]:
        """Return all values of a tag. Raises `InvalidImage` if they are not integers."""
        entry = self.entries.get(tag)
        if entry is None:
            return default
        if entry.kind not in _INTEGERS:
            raise InvalidImage(f"damaged TIFF: tag {tag} does not hold integers")
        return struct.unpack_from(f"{self.order}{entry.number}{_INTEGERS[entry.kind]}", self.data, entry.start)

    def integer(self, tag: int, default: int) -> int:
        """Return the integer of a tag, the largest if there are several."""
        return max(self.integers(tag, default))

    def content(self, tag: int) -> bytes:
        """Return the raw bytes of a tag's values."""
        entry = self.entries.get(tag)
        return b"" if entry is None else bytes(self.data[entry.start : entry.start + entry.number * _BYTES[entry.kind]])

    def rational(self, tag: int) -> tuple[int, int] | None:
        """Return numerator and denominator of a tag that has exactly one such pair."""
        entry = self.entries.get(tag)
        if entry is None or (entry.kind, entry.number) != (_RATIONAL, 1):
            return None
        above, below = struct.unpack_from(self.order + "II", self.data, entry.start)
        return above, below


def first_directory(data: Buffer) -> Directory:
    """Read the directory that describes the first picture. Raises `InvalidImage`."""
    view = memoryview(data)
    order, big = _kind(view)
    (start,) = _unpacked(view, order + ("Q" if big else "I"), 8 if big else 4)
    return read_directory(view, start)


def read_directory(view: memoryview, start: int) -> Directory:
    """Read the directory at `start`; entries outside the file or of unknown type are left out.

    Raises `InvalidImage` if it is too long, or announces more bytes of values than the file has.
    """
    order, big = _kind(view)
    counter, entry_format, value_bytes = ("Q", "HHQ", 8) if big else ("H", "HHI", 4)
    (number,) = _unpacked(view, order + counter, start)
    first, head = start + struct.calcsize(order + counter), struct.calcsize(order + entry_format)
    size = head + value_bytes
    if number > MAX_ENTRIES or first + number * size > len(view):
        raise InvalidImage(f"damaged TIFF: its directory of {number:,} entries is too long")
    entries: dict[int, Entry] = {}
    promised = 0
    for place in range(first, first + number * size, size):
        tag, kind, count = struct.unpack_from(order + entry_format, view, place)
        length = count * _BYTES.get(kind, 0)
        promised += length
        begin = place + head
        if length > value_bytes:
            (begin,) = struct.unpack_from(order + ("Q" if big else "I"), view, begin)
        if length and begin + length <= len(view):
            entries[tag] = Entry(kind, count, begin, place)
    if promised > len(view):
        raise InvalidImage(f"damaged TIFF: its directory promises {promised:,} bytes of values, more than the file has")
    return Directory(view, order, entries)


def with_short(directory: Directory, tag: int, value: int) -> bytes:
    """Copy the file, replacing the value of an existing tag by one short."""
    order, big = _kind(directory.data)
    changed = bytearray(directory.data)
    entry = order + ("HHQH" if big else "HHIH")
    struct.pack_into(entry, changed, directory.entries[tag].place, tag, SHORT, 1, value)
    return bytes(changed)


def _kind(view: memoryview) -> tuple[str, bool]:
    """Return the byte order, and whether the file is a BigTIFF."""
    return "<" if bytes(view[:2]) == b"II" else ">", 43 in view[2:4]


def _unpacked(view: memoryview, form: str, start: int) -> tuple[int, ...]:
    if start + struct.calcsize(form) > len(view):
        raise InvalidImage("damaged TIFF: its directory lies outside the file")
    return struct.unpack_from(form, view, start)
