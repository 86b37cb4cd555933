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


def test_no_block_is_damaged_enough_to_fail() -> None:
    block = exif(5)
    assert orientation(block) == 5
    for length in range(len(block)):
        assert orientation(block[:length]) in {1, 5}
    for wrong in (b"", b"Exif\0\0", b"II*\0\xff\xff\xff\xff", exif(9), exif(0), bytes(100)):
        assert orientation(wrong) == 1
