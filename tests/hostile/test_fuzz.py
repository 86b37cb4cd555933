"""The own readers of PNG and NPY against Pillow and NumPy, on files that were changed behind their checksums."""

from __future__ import annotations

import warnings
import zlib
from io import BytesIO
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from service.engine.codecs import decode, inspect
from service.engine.errors import EngineError
from service.engine.machine.limits import Limits
from tests.engine.codecs.samples import SIGNATURE, chunk, image_of, npy, png, saved
from tests.hostile.files import chunks_of

LIMITS = Limits(max_image_pixels=100_000)
FUZZED = settings(max_examples=250, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))

RGB = image_of(7, 9, 3)
PICTURES = [
    saved(RGB, "PNG"),
    saved(np.dstack([RGB, RGB[:, :, :1]]), "PNG"),
    saved(Image.fromarray(RGB).quantize(5), "PNG", bits=4, transparency=1),
    png(image_of(7, 9, 1) >> 7, 1, 0, before=[chunk(b"tRNS", b"\0\1")]),
    png(image_of(7, 9, 1) >> 4, 4, 0, interlaced=True),
    png(image_of(7, 9, 2), 8, 4, interlaced=True),
]
ARRAYS = [
    npy(RGB),
    npy(np.asfortranarray(RGB.astype(">f4"))),
    npy(RGB.astype("<f8")[:, :, 0]),
    npy(RGB.astype(">u2")),
]


def changed(draw: st.DataObject, content: bytes) -> bytes:
    """Set, cut out or double some bytes."""
    result = bytearray(content)
    for _ in range(draw.draw(st.integers(1, 3))):
        if not result:
            break
        place = draw.draw(st.integers(0, len(result) - 1))
        match draw.draw(st.sampled_from(["set", "cut", "double"])):
            case "set":
                result[place] = draw.draw(st.integers(0, 255))
            case "cut":
                del result[place : place + draw.draw(st.integers(1, 4))]
            case "double":
                result[place:place] = result[place : place + 4]
    return bytes(result)


def ours(data: bytes) -> NDArray[Any] | None:
    try:
        return decode(data, inspect(data, LIMITS)).image
    except EngineError:
        return None


@given(data=st.data())
@FUZZED
def test_png_reader_agrees_with_pillow_on_whatever_both_read(data: st.DataObject) -> None:
    picture = data.draw(st.sampled_from(PICTURES))
    parts = [(kind, picture[start + 8 : stop - 4]) for kind, start, stop in chunks_of(picture)]
    victim = data.draw(st.integers(0, len(parts) - 1))
    kind, content = parts[victim]
    if kind == b"IDAT" and data.draw(st.booleans()):
        content = zlib.compress(changed(data, zlib.decompress(content)))
    else:
        content = changed(data, content)
    parts[victim] = (kind, content)
    file = SIGNATURE + b"".join(chunk(kind, content) for kind, content in parts)
    image = ours(file)
    theirs = pillow(file)
    if image is not None and theirs is not None:
        np.testing.assert_array_equal(image, theirs)


def pillow(file: bytes) -> NDArray[Any] | None:
    """Read a PNG of up to 8 bits with Pillow, alpha out of tRNS included; None where it cannot."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            picture = Image.open(BytesIO(file), formats=["png"])
            if picture.width * picture.height > LIMITS.max_image_pixels or picture.mode.startswith("I"):
                return None
            clear = "transparency" in picture.info
            mode = {"1": "L", "P": "RGB"}.get(picture.mode, picture.mode)
            image = np.asarray(picture.convert({"L": "LA", "RGB": "RGBA"}.get(mode, mode) if clear else mode))
        except Exception:
            return None
    return image.reshape(*image.shape[:2], -1)


@given(data=st.data())
@FUZZED
def test_npy_reader_agrees_with_numpy_on_whatever_both_read(data: st.DataObject) -> None:
    file = changed(data, data.draw(st.sampled_from(ARRAYS)))
    image = ours(file)
    if image is None:
        return
    theirs = np.load(BytesIO(file), allow_pickle=False)
    np.testing.assert_array_equal(image, theirs.reshape(image.shape))
