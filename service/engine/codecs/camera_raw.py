"""Camera raw files that look like TIFFs: the image a TIFF reader finds in them is a preview, not the picture.

Tags: Adobe's DNG specification 1.7; TIFF/EP (ISO 12234-2) for colour filter arrays.
"""

from __future__ import annotations

from service.engine.codecs.base import Buffer
from service.engine.codecs.tiff_directory import (
    DNG_VERSION,
    MAKE,
    PHOTOMETRIC,
    SUB_DIRECTORIES,
    Directory,
    first_directory,
    read_directory,
)
from service.engine.errors import InvalidImage

_FILTER_ARRAY, _LINEAR_RAW = 32803, 34892
"""Values of photometric interpretation: samples behind a mosaic of colour filters, and demosaiced ones."""
_MAX_SUB_DIRECTORIES = 32
_MAKERS = {
    b"canon": "CR2",
    b"nikon": "NEF",
    b"sony": "ARW",
    b"pentax": "PEF",
    b"ricoh": "PEF",
    b"samsung": "SRW",
    b"olympus": "ORF",
    b"panasonic": "RW2",
    b"hasselblad": "3FR",
    b"kodak": "DCR",
    b"eastman": "DCR",
    b"epson": "ERF",
    b"seiko": "ERF",
    b"mamiya": "MEF",
    b"leaf": "MOS",
    b"phase": "IIQ",
}
"""What each maker's raw files are called, by the first word of the maker's name."""


def camera_raw(data: Buffer) -> str | None:
    """Name the kind of raw file that a TIFF is; None if it is not one. Other code reports damage."""
    view = memoryview(data)
    if bytes(view[8:10]) == b"CR":
        return "CR2"
    if bytes(view[8:12]) in {b"IIII", b"MMMM"}:
        return "IIQ"
    try:
        first = first_directory(view)
        if DNG_VERSION in first.entries:
            return "DNG"
        if _of_a_sensor(first):
            return _named(first)
        for start in first.integers(SUB_DIRECTORIES)[:_MAX_SUB_DIRECTORIES]:
            if _of_a_sensor(read_directory(view, start)):
                return _named(first)
    except InvalidImage:
        return None
    return None


def _of_a_sensor(directory: Directory) -> bool:
    return directory.integer(PHOTOMETRIC, 0) in {_FILTER_ARRAY, _LINEAR_RAW}


def _named(directory: Directory) -> str:
    words = directory.content(MAKE).lower().replace(b"\0", b" ").split()
    return _MAKERS.get(words[0], "TIFF/EP") if words else "TIFF/EP"
