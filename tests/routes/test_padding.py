"""Blanks behind a boundary are taken out of a stream, and nothing else is changed."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.routes.padding import Unpadded

BOUNDARY = b"x-"
PIECES = st.lists(
    st.sampled_from([b"\r", b"\n", b"\r\n", b"-", b"--", b"x", b"x-", b"--x-", b"\r\n--x-", b" ", b"\t", b"   ", b"a"]),
    max_size=30,
)


def passed(stream: bytes, cuts: list[int]) -> bytes:
    """Send a stream through in pieces."""
    unpadded = Unpadded(BOUNDARY)
    places = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
    pieces = [stream[start:end] for start, end in itertools.pairwise(places)]
    return b"".join([*map(unpadded.write, pieces), unpadded.close()])


@given(PIECES, st.lists(st.integers(0, 200), max_size=20))
def test_stream_in_any_pieces_is_the_stream_without_padding(pieces: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(pieces)
    expected = re.sub(rb"(\r\n--x-)[ \t]+(?=\r)", rb"\1", b"\r\n" + stream)
    got = passed(stream, cuts)
    # blanks that no line end follows make the boundary malformed, be they one or many
    assert shortened(got) == shortened(expected)


def shortened(stream: bytes) -> bytes:
    return re.sub(rb"(\r\n--x-)[ \t]+", rb"\1 ", stream)


@pytest.mark.parametrize("blanks", [b" ", b"\t", b" \t ", b" " * 100_000])
@pytest.mark.parametrize("size", [1, 5, 4096])
def test_blanks_are_not_gathered(blanks: bytes, size: int) -> None:
    stream = b"--x-" + blanks + b"\r\nA: b\r\n\r\nc\r\n--x-" + blanks + b"\r\n"
    unpadded = Unpadded(BOUNDARY)
    got = b""
    for start in range(0, len(stream), size):
        got += unpadded.write(stream[start : start + size])
        assert len(unpadded.close()) <= len(b"\r\n--x- ")
    assert got + unpadded.close() == b"\r\n--x-\r\nA: b\r\n\r\nc\r\n--x-\r\n"
