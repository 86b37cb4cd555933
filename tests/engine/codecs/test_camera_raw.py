"""Raw files of cameras are refused by name: the preview in them is not the picture."""

from __future__ import annotations

from contextlib import suppress

import pytest

from service.engine.codecs import inspect
from service.engine.codecs.sniff import sniff
from service.engine.errors import InvalidImage, UnsupportedFormat
from service.engine.machine.limits import Limits
from tests.engine.codecs.handwritten import FILTER_ARRAY, LINEAR_RAW, camera_raw


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"dng": True}, "DNG"),
        ({"dng": True, "reduced": True, "sub": LINEAR_RAW, "maker": b"Apple"}, "DNG"),
        ({"photometric": FILTER_ARRAY}, "TIFF/EP"),
        ({"photometric": LINEAR_RAW}, "TIFF/EP"),
        ({"photometric": FILTER_ARRAY, "maker": b"PENTAX Corporation"}, "PEF"),
        ({"sub": FILTER_ARRAY, "maker": b"NIKON CORPORATION", "reduced": True}, "NEF"),
        ({"sub": FILTER_ARRAY, "maker": b"SONY"}, "ARW"),
        ({"sub": FILTER_ARRAY, "maker": b"SAMSUNG"}, "SRW"),
        ({"signature": b"CR\2\0"}, "CR2"),
        ({"signature": b"IIII"}, "IIQ"),
    ],
)
def test_what_a_camera_wrote_is_refused_by_name(fields: dict[str, object], name: str, order: str) -> None:
    data = camera_raw(order, **fields)  # type: ignore[arg-type]
    for view in (data, bytearray(data), memoryview(data)):
        with pytest.raises(UnsupportedFormat, match=rf"camera's raw file \({name}\)"):
            sniff(view)


def test_a_picture_that_a_camera_wrote_as_a_picture_is_one() -> None:
    for data in (camera_raw(), camera_raw(maker=b"NIKON CORPORATION"), camera_raw(maker=b"SONY", sub=2)):
        assert sniff(data) == "tiff"
        assert inspect(data, Limits()).width == 8


def test_a_preview_of_no_camera_is_refused_too() -> None:
    with pytest.raises(InvalidImage, match="the preview is not the picture"):
        inspect(camera_raw(reduced=True), Limits())


@pytest.mark.parametrize(
    ("start", "name"),
    [
        (b"IIRO\x08\0\0\0", "ORF"),
        (b"IIRS\x08\0\0\0", "ORF"),
        (b"MMOR\0\0\0\x08", "ORF"),
        (b"IIU\0\x18\0\0\0", "RW2"),
        (b"FUJIFILMCCD-RAW 0201", "RAF"),
        (b"II\x1a\0\0\0HEAPCCDR", "CRW"),
        (b"\0MRM\0\0\0\0", "MRW"),
        (b"FOVb\0\0\0\0", "X3F"),
        (b"\0\0\0\x18ftypcrx \0\0\0\0", "CR3"),
    ],
)
def test_raw_files_that_are_no_tiff_are_known_by_their_signature(start: bytes, name: str) -> None:
    with pytest.raises(UnsupportedFormat, match=rf"camera's raw file \({name}\)"):
        sniff(start + bytes(40))


def test_no_cut_is_damaged_enough_to_fail() -> None:
    data = camera_raw(dng=True, sub=FILTER_ARRAY, maker=b"NIKON")
    for length in range(8, len(data)):
        with suppress(UnsupportedFormat):
            assert sniff(data[:length]) == "tiff"
