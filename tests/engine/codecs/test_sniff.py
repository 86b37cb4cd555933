from __future__ import annotations

import pytest

from service.engine.codecs.sniff import sniff
from service.engine.errors import InvalidImage, UnsupportedFormat
from tests.engine.codecs.samples import one_of_each

FILES = one_of_each()


@pytest.mark.parametrize("name", FILES)
def test_content_decides(name: str) -> None:
    assert sniff(FILES[name]) == name.partition(" ")[0]
    assert sniff(memoryview(bytearray(FILES[name]))) == name.partition(" ")[0]


@pytest.mark.parametrize(
    ("start", "words"),
    [
        (b"%PDF-1.7", "PDF"),
        (b"8BPS\0\1", "Photoshop"),
        (b"\0\0\1\0\1\0", "ICO"),
        (b"<?xml version='1.0'?>\n<svg xmlns='http://www.w3.org/2000/svg'>", "SVG"),
        (b"<!DOCTYPE html>", "HTML"),
        (b"\0\0\0\x18ftypheic\0\0\0\0heicmif1", "HEIC"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0isommp42", "video"),
        (b"RIFF\0\0\0\0WAVEfmt ", "WAV"),
        (b"PK\3\4", "ZIP"),
        (b"P6\n2 2\n255\n", "Netpbm"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
        (b"BM is how this text begins", "no format known"),
        (b"hello", "no format known"),
    ],
)
def test_what_is_found_is_named_and_what_is_read_is_listed(start: bytes, words: str) -> None:
    with pytest.raises(UnsupportedFormat, match=words) as refusal:
        sniff(start)
    assert "PNG, JPEG, WebP, GIF, BMP, TIFF, AVIF, NPY" in refusal.value.detail


def test_avif_is_known_by_any_of_its_brands() -> None:
    assert sniff(b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf") == "avif"


def test_nothing_is_no_image() -> None:
    with pytest.raises(InvalidImage, match="empty"):
        sniff(b"")
