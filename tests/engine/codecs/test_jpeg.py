"""What libjpeg-turbo decodes at once is, level by level, what Pillow gives; the rest is left to Pillow."""

from __future__ import annotations

import subprocess
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import simplejpeg
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from service.engine.codecs import decode, inspect, jpeg
from service.engine.errors import EngineError
from service.engine.machine.limits import Limits
from tests.engine.codecs.samples import exif, image_of, saved

LIMITS = Limits(max_image_pixels=1_000_000)
SIZES = [(1, 1), (1, 2), (2, 1), (1, 17), (17, 1), (3, 3), (7, 9), (8, 8), (15, 16), (16, 15), (17, 33), (65, 129)]
WAYS: dict[str, dict[str, Any]] = {
    "4:4:4": {"subsampling": 0},
    "4:2:2": {"subsampling": 1},
    "4:2:0": {"subsampling": 2},
    "coarse": {"quality": 5},
    "fine": {"quality": 100},
    "optimized": {"optimize": True},
    "progressive": {"progressive": True},
    "progressive 4:4:4": {"progressive": True, "subsampling": 0},
    "restarts": {"restart_marker_blocks": 1},
    "progressive restarts": {"restart_marker_rows": 1, "progressive": True},
    "RGB": {"keep_rgb": True},
}


def grainy(height: int, width: int, channels: int) -> NDArray[np.uint8]:
    noise = np.random.default_rng(3).integers(0, 90, (height, width, channels))
    return image_of(height, width, channels) // 2 + noise.astype(np.uint8)


def pillows(data: bytes) -> NDArray[np.uint8]:
    image = np.asarray(Image.open(BytesIO(data)))
    return image.reshape(*image.shape[:2], -1)


def check(data: bytes) -> None:
    expected = pillows(data)
    found = jpeg.pixels(data, *expected.shape)
    assert found is not None
    np.testing.assert_array_equal(found, expected)


def without_jfif(data: bytes, *segments: bytes) -> bytes:
    """Take the first segment out and put others there."""
    assert data[2:4] == b"\xff\xe0"
    return b"".join([data[:2], *segments, data[4 + int.from_bytes(data[4:6], "big") :]])


def adobe(transform: int) -> bytes:
    return b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0" + bytes([transform])


@pytest.mark.parametrize("way", WAYS)
def test_colours_are_pillows(way: str) -> None:
    for size in SIZES:
        check(saved(grainy(*size, 3), "JPEG", **WAYS[way]))


@pytest.mark.parametrize("progressive", [False, True])
def test_grays_are_pillows(progressive: bool) -> None:
    for size in SIZES:
        check(saved(grainy(*size, 1)[:, :, 0], "JPEG", progressive=progressive))


@pytest.mark.parametrize("sampling", ["444", "422", "420", "440", "411", "Gray"])
def test_every_sampling_is_pillows(sampling: str) -> None:
    for size in SIZES:
        check(simplejpeg.encode_jpeg(grainy(*size, 3), colorsubsampling=sampling))


@pytest.mark.parametrize("marked", [(), (0,), (1,), (0, 1)])
def test_the_model_is_told_by_the_same_markers(marked: tuple[int, ...]) -> None:
    for size in SIZES:
        check(without_jfif(saved(grainy(*size, 3), "JPEG", subsampling=0), *map(adobe, marked)))


def test_what_is_not_sound_or_of_another_size_is_left_to_pillow() -> None:
    for way in WAYS.values():
        data = saved(grainy(17, 33, 3), "JPEG", **way)
        assert jpeg.pixels(data + b"more", 17, 33, 3) is not None
        scan = data.index(b"\xff\xda")
        for wrong in (b"", data[:2], data[:scan], data[: (scan + len(data)) // 2], data[:-2]):
            assert jpeg.pixels(wrong, 17, 33, 3) is None
        assert jpeg.pixels(data[:scan] + b"noise" + data[scan:], 17, 33, 3) is None
        for size in ((16, 33), (18, 33), (17, 32), (17, 34), (33, 17)):
            assert jpeg.pixels(data, *size, 3) is None
    assert jpeg.pixels(saved(Image.new("CMYK", (9, 9)), "JPEG"), 9, 9, 3) is None


FILES = [
    saved(grainy(9, 11, 3), "JPEG", exif=exif(6)),
    saved(grainy(9, 11, 1)[:, :, 0], "JPEG"),
    *(saved(grainy(19, 21, 3), "JPEG", **way) for way in WAYS.values()),
    saved(grainy(9, 11, 3), "MPO", save_all=True, append_images=[Image.new("RGB", (7, 7))]),
]


@settings(max_examples=1000, deadline=None)
@given(data=st.data())
def test_whatever_is_done_to_a_file_the_answer_is_that_of_pillow_alone(data: st.DataObject) -> None:
    content = bytearray(data.draw(st.sampled_from(FILES)))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        match data.draw(st.sampled_from(["flip", "set", "cut out", "double"])):
            case "flip":
                content[place] ^= 1 << data.draw(st.integers(0, 7))
            case "set":
                content[place] = data.draw(st.sampled_from([0, 1, 127, 128, 192, 194, 216, 217, 218, 221, 255]))
            case "cut out":
                del content[place : place + data.draw(st.integers(1, 9))]
            case "double":
                content[place:place] = content[place : place + data.draw(st.integers(1, 200))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jpeg, "pixels", lambda *_: None)
        expected = answer(bytes(content))
    assert answer(bytes(content)) == expected


def answer(data: bytes) -> tuple[Any, ...]:
    try:
        info = inspect(data, LIMITS)
        image, icc, *_ = decode(data, info)
    except EngineError as refusal:
        return type(refusal), refusal.detail
    return info, image.tobytes(), icc


IN_LITTLE_MEMORY = """
import resource, sys
from pathlib import Path
from service.engine.codecs import jpeg

data = Path(sys.argv[1]).read_bytes()
assert jpeg.pixels(data[:1000], 2000, 2000, 3) is None
taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
_, hard = resource.getrlimit(resource.RLIMIT_AS)
for mebibytes in [*range(2, 60, 3), 1024]:
    resource.setrlimit(resource.RLIMIT_AS, (taken + mebibytes * 2**20, hard))
    try:
        print("None" if jpeg.pixels(data, 2000, 2000, 3) is None else "image")
    except MemoryError:
        print("MemoryError")
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux")
def test_want_of_memory_is_no_damage(tmp_path: Path) -> None:
    """The picture alone takes 12 MB: 2 are too few for it, and a thousand enough."""
    file = tmp_path / "picture"
    file.write_bytes(saved(np.tile(grainy(500, 500, 3), (4, 4, 1)), "JPEG", progressive=True, subsampling=0))
    done = subprocess.run(
        [sys.executable, "-c", IN_LITTLE_MEMORY, str(file)], capture_output=True, text=True, check=True
    )
    results = done.stdout.split()
    assert (results[0], results[-1]) == ("MemoryError", "image")
    assert set(results) == {"MemoryError", "image"}
