from __future__ import annotations

import gc

import numpy as np
import pytest
from PIL import Image

from service.engine.codecs import own_process
from service.engine.codecs.arrow import lists_of_bytes
from service.engine.loops.pixels import pack
from tests.engine.codecs.samples import image_of


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (61, 53), (1100, 4100)])
def test_the_pixels_of_a_picture_are_seen_and_packed(size: tuple[int, int]) -> None:
    own_process()  # where pictures are in one piece
    rgb = image_of(*size, 3)
    pixels = lists_of_bytes(Image.fromarray(rgb).__arrow_c_array__()[1], 4)
    gc.collect()  # the picture is gone, what it exported is not
    assert not pixels.flags.writeable
    np.testing.assert_array_equal(pixels[:, :3], rgb.reshape(-1, 3))
    packed = np.full((len(pixels) + 1, 3), 0xA5, np.uint8)
    pack(pixels, packed[:-1])
    np.testing.assert_array_equal(packed[:-1], rgb.reshape(-1, 3))
    assert (packed[-1] == 0xA5).all()


def test_any_number_of_pixels_is_packed() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (70, 4)).astype(np.uint8)
    pixels.flags.writeable = False
    for count in range(71):
        packed = np.full((71, 3), 0xA5, np.uint8)
        pack(pixels[:count], packed[:count])
        np.testing.assert_array_equal(packed[:count], pixels[:count, :3])
        assert (packed[count:] == 0xA5).all()
