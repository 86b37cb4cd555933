"""A library changes nothing in the program that uses it; a worker sets up its own process."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import threading
import warnings
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from service.engine.codecs import decode, inspect
from service.engine.codecs.pillow_state import quiet
from service.engine.errors import ImageTooLarge
from service.engine.machine.limits import Limits
from tests.engine.codecs.samples import image_of, saved

STATE = """
import json, logging, os, sys, warnings
import numba, numpy, scipy.fft, scipy.ndimage, scipy.signal, scipy.special  # which have filters of their own
from PIL import Image

def state():
    try:  # a large picture is in one piece only where the block allocator has been switched on
        Image.new("RGB", (3000, 3000)).__arrow_c_array__()
        pieces = "one"
    except ValueError:
        pieces = "several"
    return [
        str(Image.MAX_IMAGE_PIXELS),
        pieces,
        [str(rule) for rule in warnings.filters],
        [str(handler) for handler in logging.getLogger().handlers],
        sorted(os.environ.items()),
        sys.getrecursionlimit(),
    ]

before = state()
import service.engine
from service.engine import filter_bytes
after_import = state()
for name in sys.argv[1:]:
    with open(name, "rb") as file:
        filter_bytes(file.read(), {"op": "blur", "sigma": 1})
print(json.dumps([before, after_import, state()]))
"""


def test_importing_and_using_the_engine_changes_nothing_in_its_host(tmp_path: Path) -> None:
    picture = image_of(300, 400, 3)
    files = {form: saved(picture, form) for form in ("PNG", "JPEG", "TIFF", "WEBP", "GIF", "BMP", "AVIF")}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    paths = [str(tmp_path / name) for name in files]
    done = subprocess.run([sys.executable, "-c", STATE, *paths], capture_output=True, text=True, check=True)
    assert not done.stderr
    before, after_import, after_use = json.loads(done.stdout)
    assert before[1] == "several"
    assert after_import == before
    assert after_use == before


LARGE = """
import sys
import numpy as np
from PIL import Image
from service.engine.codecs import decode, inspect, own_process
from service.engine.machine.limits import Limits

if sys.argv[2] == "own":
    own_process()
    assert Image.MAX_IMAGE_PIXELS is None
with open(sys.argv[1], "rb") as file:
    data = file.read()
image = decode(data, inspect(data, Limits())).image
np.testing.assert_array_equal(image, np.asarray(Image.open(sys.argv[1])))
"""


@pytest.mark.parametrize("whose", ["own", "host"])
def test_a_picture_of_several_blocks_is_read_in_any_process(whose: str, tmp_path: Path) -> None:
    path = tmp_path / "large.webp"
    path.write_bytes(saved(np.tile(image_of(550, 820, 3), (4, 5, 1)), "WEBP", lossless=True, quality=0, method=0))
    subprocess.run([sys.executable, "-c", LARGE, str(path), whose], check=True)


def test_the_bound_of_the_host_is_called_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    data = saved(image_of(40, 50, 3), "BMP")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 900)
    with pytest.raises(ImageTooLarge, match="more than the 1,800 pixels"):
        inspect(data, Limits())


def test_warnings_of_several_readers_at_once_end_as_they_began() -> None:
    before = list(warnings.filters)
    inside, outside = threading.Barrier(3), threading.Barrier(3)
    heard: list[Any] = []

    def read() -> None:
        with quiet():
            inside.wait(20)
            try:
                warnings.warn_explicit("of a file", UserWarning, "TiffImagePlugin.py", 1, module="PIL.TiffImagePlugin")
            except UserWarning as warning:
                heard.append(warning)
            outside.wait(20)

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert not heard
    assert list(warnings.filters) == before


def test_a_file_with_a_warning_is_read_where_warnings_are_errors() -> None:
    image = image_of(4, 5, 3)
    data = bytearray(saved(image, "TIFF", software="x" * 40))
    entry = data.index(struct.pack("<HHI", 305, 2, 41))
    struct.pack_into("<I", data, entry + 8, 10_000)
    with pytest.warns(UserWarning, match="Truncated"), Image.open(BytesIO(data)) as picture:
        picture.load()
    np.testing.assert_array_equal(decode(data, inspect(data, Limits())).image, image)
