"""What "small" makes of a PNG: the same pixels and chunks in fewer bytes, and the same bytes whoever computes them."""

from __future__ import annotations

import os
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from service.engine import filter_bytes
from service.engine.codecs import Compression, encode_bytes, encode_png
from service.engine.codecs.metadata import Density, Metadata
from service.engine.codecs.png_search import smaller
from service.engine.errors import MemoryLimit
from service.engine.machine.limits import Limits
from tests.engine.codecs.samples import image_of, profile, saved
from tests.hostile.files import chunks_of

PHOTOGRAPH = Path(__file__).parents[3] / "docs" / "pictures" / "cat.jpg"
MEGABYTES = [3, 8, 16, 30]
"""One size for each effort."""
LARGE = 49_000_000
COMPRESSIONS: tuple[Compression, ...] = ("fast", "small")


def photograph() -> NDArray[np.uint8]:
    return np.asarray(Image.open(PHOTOGRAPH).convert("RGB"))


def drawing() -> NDArray[np.uint8]:
    """Draw a few colours, some of them gray, in rectangles."""
    colours = np.array([[255, 255, 255], [0, 0, 0], [200, 0, 0], [0, 90, 200], [128, 128, 128]], np.uint8)
    small = colours[np.random.default_rng(5).integers(0, len(colours), (20, 30))]
    return small.repeat(15, axis=0).repeat(20, axis=1)


def rest(data: bytes) -> list[tuple[bytes, bytes]]:
    """Give the chunks that hold no pixels, with their content."""
    return [(kind, data[start + 8 : stop - 4]) for kind, start, stop in chunks_of(data) if kind != b"IDAT"]


def pixels(data: bytes) -> NDArray[Any]:
    return np.asarray(Image.open(BytesIO(data)))


@pytest.mark.parametrize("picture", [photograph, drawing])
def test_small_is_smaller_than_the_best_of_other_writers(picture: Any) -> None:
    image = picture()
    small = len(encode_png(image, compression="small"))
    assert small < 0.95 * len(saved(image, "PNG", optimize=True))
    assert small < 0.9 * len(encode_png(image))


@pytest.mark.parametrize("megabytes", MEGABYTES)
def test_every_effort_keeps_the_pixels_and_takes_fewer_bytes(megabytes: int) -> None:
    tile = image_of(100, 125, 4)
    image = np.tile(tile, (10, 2 * megabytes, 1))
    fast, small = (encode_png(image, compression=compression) for compression in COMPRESSIONS)
    assert len(small) < len(fast)
    np.testing.assert_array_equal(pixels(small), image)


def test_what_would_take_too_long_stays_as_it_is() -> None:
    file = encode_png(drawing())
    assert smaller(file, LARGE) is file
    assert encode_bytes("png", LARGE // 3, LARGE, "small") == encode_bytes("png", LARGE // 3, LARGE)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_noise_is_no_larger(channels: int, dtype: Any) -> None:
    image = np.random.default_rng(1).integers(0, np.iinfo(dtype).max + 1, (90, 80, channels), dtype)
    assert len(encode_png(image, compression="small")) <= len(encode_png(image))


def plain(value: int, channels: int, dtype: Any) -> NDArray[Any]:
    return np.full((40, 50, channels), value, dtype)


@pytest.mark.parametrize("value", [0, 255, 0x5A5A])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_colour_type_and_depth_stay_where_less_would_do(value: int, channels: int, dtype: Any) -> None:
    """Opaque alpha, equal channels, one colour, 16 bits of which 8 or 1 would do."""
    image = plain(value & np.iinfo(dtype).max, channels, dtype)
    fast, small = (encode_png(image, compression=compression) for compression in COMPRESSIONS)
    assert rest(small) == rest(fast)
    assert len(small) <= len(fast)


def test_colour_below_clear_alpha_stays() -> None:
    image = image_of(60, 70, 4)
    image[..., 3] = 0
    np.testing.assert_array_equal(pixels(encode_png(image, compression="small")), image)


def test_every_chunk_stays() -> None:
    colour = ((b"gAMA", (45_455).to_bytes(4, "big")), (b"sRGB", b"\0"))
    about = Metadata(colour, Density(11811, 11811, metric=True))
    image, icc = drawing(), profile(b"RGB ", 3000)
    fast, small = (encode_png(image, compression=way, icc=icc, metadata=about) for way in COMPRESSIONS)
    assert {kind for kind, _ in rest(small)} == {kind for kind, _ in rest(fast)} > {b"iCCP", b"pHYs", b"gAMA"}
    assert [part for part in rest(small) if part[0] != b"iCCP"] == [part for part in rest(fast) if part[0] != b"iCCP"]
    assert Image.open(BytesIO(small)).info["icc_profile"] == icc


WRITE = """
import hashlib, numpy as np
from PIL import Image
from service.engine.codecs import encode_png
image = np.asarray(Image.open({photograph!r}).convert("RGB"))
print(*(hashlib.sha256(encode_png(image, compression="small")).hexdigest() for _ in range(2)))
"""


def test_the_number_of_threads_does_not_change_the_bytes() -> None:
    digests = set()
    for threads in ("1", "2", "7"):
        command = [sys.executable, "-c", WRITE.format(photograph=str(PHOTOGRAPH))]
        environment = {**os.environ, "RAYON_NUM_THREADS": threads}
        done = subprocess.run(command, env=environment, capture_output=True, check=True, text=True)
        digests |= set(done.stdout.split())
    assert len(digests) == 1


MEASURE = """
import ctypes, sys
import numpy as np
from service.engine.codecs import encode_png, png_search

def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))

PR_SET_THP_DISABLE = 41
ctypes.CDLL(None).prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0)  # a huge page would count as a whole
image = np.random.default_rng(0).integers(0, 256, (1000, int(sys.argv[1]), 4), dtype=np.uint8)
file = encode_png(image)
before = peak()
png_search.smaller(file, image.nbytes)
print(peak() - before, png_search.search_bytes(image.nbytes))
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux")
@pytest.mark.parametrize("width", [1000, 3000, 6000, 12_000])
def test_memory_of_the_search_is_bounded(width: int) -> None:
    """Noise is the worst, at the largest size of each effort, when each way is tried on a thread of its own."""
    environment = {**os.environ, "RAYON_NUM_THREADS": "8"}
    command = [sys.executable, "-c", MEASURE, str(width)]
    done = subprocess.run(command, env=environment, capture_output=True, check=True, text=True)
    needed, bound = map(int, done.stdout.split())
    assert 0 < needed < bound


def test_memory_of_a_job_counts_the_search() -> None:
    image = image_of(700, 700, 3)
    document: dict[str, Any] = {"steps": [{"op": "conv", "kernel": [[1]]}], "output": {"compression": "fast"}}
    limits = Limits(max_memory_bytes=encode_bytes("png", 700 * 700, image.nbytes, "small"))
    assert filter_bytes(encode_png(image), document, limits=limits)
    document["output"]["compression"] = "small"
    with pytest.raises(MemoryLimit):
        filter_bytes(encode_png(image), document, limits=limits)
