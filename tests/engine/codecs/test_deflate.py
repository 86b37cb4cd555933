from __future__ import annotations

import zlib
from heapq import heapify, heappop, heappush
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from isal import isal_zlib
from numpy.typing import NDArray

from service.engine.codecs.deflate import fast
from service.engine.loops import deflate as loops
from tests.floors import needs_loops

Bytes = NDArray[np.uint8]

SYNC = b"\0\0\xff\xff"


def inflated(stream: bytes) -> bytes:
    """Let zlib inflate what stands between other streams: it has no last block, and must end on a byte's border."""
    decoder = zlib.decompressobj(-15)
    content = decoder.decompress(stream) + decoder.decompress(b"\x03\x00")
    assert decoder.eof
    assert not decoder.unused_data
    return content


def coded(data: Bytes) -> bytes:
    """Codes of our own, whether or not others are shorter."""
    assert loops.code(data, np.empty(0, np.uint8))[0] == 0
    _, bits, saved = loops.code(data, np.empty(2 * len(data) + loops.HEAD_BYTES, np.uint8))
    least = bits // 8 + loops.END_BYTES
    out = np.full(least + 8, 0xA5, np.uint8)
    assert loops.code(data, out[: least - 1]) == (0, bits, saved)
    assert (out == 0xA5).all()
    size, *again = loops.code(data, out[:least])
    assert size == (bits + 3 + 7) // 8 + len(SYNC) <= least
    assert again == [bits, saved]
    assert (out[least:] == 0xA5).all()
    stream = out[:size].tobytes()
    assert stream.endswith(SYNC)
    return stream


def kinds(size: int, seed: int = 0) -> dict[str, Bytes]:
    rng = np.random.default_rng(seed)
    values, lengths = rng.integers(0, 4, size), rng.choice([1, 2, 7, 8, 9, 30, 257, 258, 259, 260, 261, 517], size)
    enough = np.searchsorted(lengths.cumsum(), size) + 1
    runs = np.repeat(values[:enough], lengths[:enough])
    rare = np.minimum(rng.geometric(0.5, size), 255)  # codes of every length up to the longest
    return {
        "zeros": np.zeros(size, np.uint8),
        "one value": np.full(size, 255, np.uint8),
        "noise": rng.integers(0, 256, size).astype(np.uint8),
        "small": (rng.normal(0, 3, size).round().astype(int) % 256).astype(np.uint8),
        "two values": rng.integers(0, 2, size).astype(np.uint8),
        "runs": runs[:size].astype(np.uint8),
        "counting": np.arange(size).astype(np.uint8),
        "rare": rare.astype(np.uint8),
        "tiles": np.resize(rng.integers(0, 256, 5000), size).astype(np.uint8),
    }


SIZES = [1, 2, 3, 7, 8, 9, 10, 15, 16, 17, 18, 24, 25, 257, 258, 259, 300, 4095, 32768, 32769, 65535, 65536, 70001]


@pytest.mark.parametrize("size", SIZES)
def test_zlib_inflates_every_kind_of_bytes(size: int) -> None:
    for name, data in kinds(size).items():
        expected = data.tobytes()
        assert inflated(coded(data)) == expected, name
        assert inflated(b"".join(fast(data))) == expected, name


def test_zlib_inflates_every_short_length() -> None:
    for size in range(1, 600):
        for name, data in kinds(size, seed=size).items():
            assert inflated(coded(data)) == data.tobytes(), (name, size)


def test_runs_of_every_length_are_inflated() -> None:
    for length in range(1, 800):
        data = np.concatenate([[1, 2, 3], np.full(length, 7), [8, 9] * (length % 9)]).astype(np.uint8)
        assert inflated(coded(data)) == data.tobytes(), length


@needs_loops
def test_more_than_one_piece_is_inflated() -> None:
    for name, data in kinds(2 * loops.MOST_BYTES + 3).items():
        assert inflated(b"".join(fast(data))) == data.tobytes(), name
    assert fast(np.empty(0, np.uint8)) == []


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 255), st.integers(1, 40)), min_size=1, max_size=60))
def test_any_bytes_are_inflated(runs: list[tuple[int, int]]) -> None:
    data = np.repeat(*np.array(runs, dtype=np.int64).T).astype(np.uint8)
    assert inflated(coded(data)) == data.tobytes()
    assert inflated(b"".join(fast(data))) == data.tobytes()


@settings(max_examples=300, deadline=None)
@given(st.binary(min_size=1, max_size=3000))
def test_any_noise_is_inflated(content: bytes) -> None:
    data = np.frombuffer(content, np.uint8).copy()
    assert inflated(coded(data)) == content
    assert inflated(b"".join(fast(data))) == content


@pytest.mark.parametrize("size", SIZES)
def test_nothing_grows_by_more_than_the_frame_of_stored_blocks(size: int) -> None:
    for name, data in kinds(size).items():
        blocks = -(-size // 16383)  # zlib may cut them at the size of its buffer
        assert sum(map(len, fast(data))) <= size + 5 * blocks + 16, name


@settings(max_examples=300, deadline=None)
@given(st.data())
@needs_loops
def test_code_lengths_are_complete_and_as_short_as_huffmans_where_the_bound_is_not_reached(data: Any) -> None:
    size, longest = data.draw(st.sampled_from([(loops.SYMBOLS, loops.CODE_BITS), (19, 7), (30, 5)]))
    weights = st.one_of(st.integers(0, 5), st.integers(0, 2**20), st.integers(0, 20).map(lambda power: 2**power))
    counts = np.array(data.draw(st.lists(weights, min_size=size, max_size=size)), np.int64)
    counts[:2] += 1
    lengths = np.empty(size, np.uint8)
    loops.code_lengths(counts, longest, lengths)
    assert ((lengths > 0) == (counts > 0)).all()
    assert lengths.max() <= longest
    assert sum(2 ** (longest - int(length)) for length in lengths if length) == 2**longest
    ordered = lengths[np.argsort(counts, kind="stable")]
    assert all(more >= less for more, less in pairwise(ordered[ordered > 0]))  # what is rarer is no shorter
    if lengths.max() < longest:
        assert (counts * lengths).sum() == huffmans_bits(counts)


def huffmans_bits(counts: NDArray[np.int64]) -> int:
    """Add up the weights of all inner nodes of Huffman's tree."""
    weights, bits = [int(count) for count in counts if count], 0
    heapify(weights)
    while len(weights) > 1:
        joined = heappop(weights) + heappop(weights)
        bits += joined
        heappush(weights, joined)
    return bits


def by_zlib(data: Bytes, level: int, strategy: int) -> int:
    stream = zlib.compressobj(level, zlib.DEFLATED, -15, 9, strategy)
    return len(stream.compress(data.tobytes()) + stream.flush())


def test_what_repeats_itself_is_matched() -> None:
    for name in ("tiles", "counting"):
        data = kinds(400_000)[name]
        assert sum(map(len, fast(data))) < 0.75 * by_zlib(data, 9, zlib.Z_HUFFMAN_ONLY), name


@pytest.mark.parametrize("size", [4097, 12_352, 16_384, 16_385, 200_000, 524_288])
@pytest.mark.parametrize("period", [61, 192, 1001, 4000])
def test_noise_that_comes_again_is_matched(size: int, period: int) -> None:
    """Whatever the distance is a multiple of, hardly anything that ISA-L finds is missed."""
    data = np.resize(np.random.default_rng(period).integers(0, 256, period), size).astype(np.uint8)
    assert sum(map(len, fast(data))) <= 1.02 * len(isal_zlib.compress(data, 1)) + len(SYNC)


@needs_loops
@pytest.mark.parametrize("size", [4097, 12_352, 16_384, 16_385, 200_000, 524_288])
@pytest.mark.parametrize("spread", [4, 20, 200])
def test_noise_that_does_not_come_again_is_not_searched(
    size: int, spread: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    searched = []
    monkeypatch.setattr(isal_zlib, "compressobj", lambda *options: searched.append(options))
    data = (np.random.default_rng(size).normal(0, spread, size).round().astype(int) % 256).astype(np.uint8)
    assert inflated(b"".join(fast(data))) == data.tobytes()
    assert searched == []


@needs_loops
@pytest.mark.parametrize("name", ["small", "rare"])
def test_what_does_not_repeat_itself_is_no_larger_than_with_zlibs_run_lengths(name: str) -> None:
    data = kinds(400_000)[name]
    assert sum(map(len, fast(data))) < 1.005 * by_zlib(data, 9, zlib.Z_RLE)


def test_nothing_but_zeros_is_tiny() -> None:
    assert sum(map(len, fast(np.zeros(500_000, np.uint8)))) <= 600
