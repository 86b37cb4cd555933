"""Whatever is done to a file, it is refused by name or read whole."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.engine.codecs import decode, inspect
from service.engine.errors import EngineError
from service.engine.machine.limits import Limits
from tests.engine.codecs.samples import one_of_each

LIMITS = Limits(max_image_pixels=1_000_000)
FILES = one_of_each()


def check_words(refusal: EngineError) -> None:
    """No path, no address, nothing that a library said."""
    assert not any(word in refusal.detail for word in ("/", "0x", "PIL", "<", "Error", "buffer", "object"))


@pytest.mark.parametrize("name", FILES)
def test_a_cut_file_is_refused_or_has_lost_nothing_of_its_picture(name: str) -> None:
    data = FILES[name]
    whole = decode(data, inspect(data, LIMITS)).image
    for length in range(len(data)):
        try:
            cut = data[:length]
            image = decode(cut, inspect(cut, LIMITS)).image
        except EngineError as refusal:
            check_words(refusal)
            continue
        np.testing.assert_array_equal(image, whole, err_msg=f"cut to {length} of {len(data)} bytes")


@pytest.mark.parametrize("name", FILES)
@given(data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_changed_file_is_refused_or_is_what_its_header_says(name: str, data: st.DataObject) -> None:
    content = bytearray(FILES[name])
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        match data.draw(st.sampled_from(["flip", "set", "cut out", "double"])):
            case "flip":
                content[place] ^= 1 << data.draw(st.integers(0, 7))
            case "set":
                content[place] = data.draw(st.sampled_from([0, 1, 127, 128, 255]))
            case "cut out":
                del content[place : place + data.draw(st.integers(1, 9))]
            case "double":
                content[place:place] = content[place : place + data.draw(st.integers(1, 9))]
        if not content:
            return
    try:
        info = inspect(content, LIMITS)
        image = decode(content, info).image
    except EngineError:
        return
    assert image.shape == (info.height, info.width, info.channels)
    assert image.dtype == info.dtype


@given(st.binary(max_size=300), st.sampled_from([data[:16] for data in FILES.values()]))
@settings(deadline=None)
def test_noise_behind_a_true_beginning_is_refused_or_read(noise: bytes, start: bytes) -> None:
    for data in (noise, start + noise):
        try:
            decode(data, inspect(data, LIMITS))
        except EngineError:
            continue
