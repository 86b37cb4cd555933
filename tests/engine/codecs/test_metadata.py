from __future__ import annotations

import struct

import numpy as np
import pytest
from PIL import Image, ImageOps

from service.engine.codecs.metadata import orientation, upright
from tests.engine.codecs.samples import exif, image_of


@pytest.mark.parametrize("turned", range(1, 9))
def test_upright_is_what_pillow_calls_upright(turned: int) -> None:
    image = image_of(3, 5, 3)
    picture = Image.fromarray(image)
    picture.getexif()[0x0112] = turned
    np.testing.assert_array_equal(upright(image, turned), np.asarray(ImageOps.exif_transpose(picture)))


@pytest.mark.parametrize("order", ["<", ">"])
def test_both_byte_orders_are_read(order: str) -> None:
    magic = b"II*\0" if order == "<" else b"MM\0*"
    other = struct.pack(order + "HHIHH", 0x0110, 2, 4, 0, 0)
    entry = struct.pack(order + "HHIHH", 0x0112, 3, 1, 7, 0)
    assert orientation(magic + struct.pack(order + "IH", 8, 2) + other + entry) == 7


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("kind", "count", "form", "value", "expected"),
    [
        (1, 1, "B3x", 6, 6),
        (3, 1, "H2x", 6, 6),
        (4, 1, "I", 6, 6),
        (4, 1, "I", 6 << 16, 1),
        (4, 1, "I", 9, 1),
        (1, 1, "B3x", 0, 1),
        (2, 1, "B3x", 6, 1),
        (5, 1, "I", 6, 1),
        (7, 1, "B3x", 6, 1),
        (8, 1, "H2x", 6, 1),
        (3, 2, "H2x", 6, 1),
        (3, 0, "H2x", 6, 1),
    ],
)
def test_any_unsigned_type_counts_and_garbage_does_not(
    order: str, kind: int, count: int, form: str, value: int, expected: int
) -> None:
    magic = b"II*\0" if order == "<" else b"MM\0*"
    entry = struct.pack(order + "HHI", 0x0112, kind, count) + struct.pack(order + form, value)
    assert orientation(magic + struct.pack(order + "IH", 8, 1) + entry) == expected


def test_no_block_is_damaged_enough_to_fail() -> None:
    block = exif(5)
    assert orientation(block) == 5
    for length in range(len(block)):
        assert orientation(block[:length]) in {1, 5}
    for wrong in (b"", b"Exif\0\0", b"II*\0\xff\xff\xff\xff", exif(9), exif(0), bytes(100)):
        assert orientation(wrong) == 1
