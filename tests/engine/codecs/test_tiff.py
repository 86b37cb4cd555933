"""TIFFs that Pillow does not read whole, written by tifffile, and what is refused by name."""

from __future__ import annotations

import struct
import zlib
from contextlib import suppress
from io import BytesIO
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from service.engine import filter_bytes
from service.engine.codecs import Decoded, ImageInfo, decode, inspect
from service.engine.codecs.metadata import Density
from service.engine.errors import EngineError, ImageTooLarge, InvalidImage, InvalidSpec, TooManyChannels
from service.engine.machine.limits import Limits
from tests.engine.codecs.handwritten import plain_tiff
from tests.engine.codecs.samples import profile
from tests.engine.pictures import from_png

LIMITS = Limits()
WIDTH, HEIGHT = 29, 37


def drawn(*shape: int, dtype: str) -> NDArray[Any]:
    rng = np.random.default_rng(len(shape))
    if np.dtype(dtype).kind == "f":
        return rng.normal(size=shape).astype(dtype)
    limits = np.iinfo(dtype)
    return rng.integers(limits.min, limits.max, shape, dtype, endpoint=True)


def written(samples: NDArray[Any], **options: Any) -> bytes:
    file = BytesIO()
    tifffile.imwrite(file, samples, metadata=None, **{"photometric": "minisblack", **options})
    return file.getvalue()


def opened(data: bytes) -> tuple[ImageInfo, Decoded]:
    info = inspect(data, LIMITS)
    decoded = decode(data, info)
    assert decoded.image.shape == (info.height, info.width, info.channels)
    assert decoded.image.dtype == info.dtype
    assert decoded.image.dtype.isnative
    assert decoded.image.flags.c_contiguous
    assert info.format == "tiff"
    return info, decoded


def read(data: bytes) -> NDArray[Any]:
    return opened(data)[1].image


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("stored", "given"),
    [
        ("uint8", "uint8"),
        ("uint16", "uint16"),
        ("int8", "float32"),
        ("int16", "float32"),
        ("int32", "float64"),
        ("uint32", "float64"),
        ("float16", "float32"),
        ("float32", "float32"),
        ("float64", "float64"),
    ],
)
def test_every_type_of_sample_is_read_exactly(stored: str, given: str, order: str, compression: str | None) -> None:
    samples = drawn(HEIGHT, WIDTH, dtype=stored)
    info, decoded = opened(written(samples, byteorder=order, compression=compression))
    assert info == ImageInfo("tiff", WIDTH, HEIGHT, 1, given, alpha=False)  # type: ignore[arg-type]
    assert (decoded.image[:, :, 0].astype(object) == samples.astype(object)).all()


@pytest.mark.parametrize("tile", [None, (16, 32), (64, 64)])
@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize(
    ("dtype", "predictor"),
    [("uint8", False), ("uint8", True), ("uint16", False), ("uint16", True), ("float32", False), ("float64", False)],
)
@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("big", [False, True])
def test_strips_tiles_and_planes_are_put_together(
    channels: int, dtype: str, planar: str, tile: tuple[int, int] | None, predictor: bool, big: bool
) -> None:
    samples = drawn(HEIGHT, WIDTH, channels, dtype=dtype)
    extra = {"extrasamples": ["unassalpha"]} if channels == 4 else {}
    data = written(
        samples if planar == "contig" else samples.transpose(2, 0, 1),
        photometric="rgb",
        planarconfig=planar,
        compression="zlib" if predictor else None,
        predictor=predictor,
        tile=tile,
        rowsperstrip=None if tile else 5,
        bigtiff=big,
        **extra,
    )
    info, decoded = opened(data)
    assert info.alpha == (channels == 4 and dtype.startswith("uint"))
    np.testing.assert_array_equal(decoded.image, samples)


def floating(samples: NDArray[Any], order: str) -> bytes:
    """Predict rows by the letter of Adobe's technical note 3: bytes by rank, each minus that of the pixel before it."""
    rows = []
    for row in samples:
        ranks = row.astype(row.dtype.newbyteorder(">")).reshape(-1, 1).view(np.uint8).T.reshape(-1)
        together = row.shape[1]
        rows.append(
            bytes((int(ranks[i]) - (int(ranks[i - together]) if i >= together else 0)) % 256 for i in range(len(ranks)))
        )
    tags = {256: samples.shape[1], 257: samples.shape[0], 258: 8 * samples.itemsize, 259: 8, 262: 1, 317: 3, 339: 3}
    return plain_tiff(zlib.compress(b"".join(rows)), tags | {277: samples.shape[2]}, order)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_the_predictor_of_floats_is_undone(dtype: str, order: str) -> None:
    samples = drawn(5, 7, 3, dtype=dtype)
    np.testing.assert_array_equal(read(floating(samples, order)), samples)


@pytest.mark.parametrize("order", ["<", ">"])
def test_packbits_is_read(order: str) -> None:
    samples = np.repeat(drawn(3, 4, dtype="int16"), 9, axis=1)
    packed = b"\x80".join(
        bytes([len(part) - 1]) + part
        for row in samples.astype(order + "i2")
        for part in (row.tobytes()[i : i + 50] for i in range(0, 2 * len(row), 50))
    )
    data = plain_tiff(packed, {256: 36, 257: 3, 258: 16, 259: 32773, 339: 2}, order)
    np.testing.assert_array_equal(read(data)[:, :, 0], samples)


def test_packbits_is_what_the_specification_shows() -> None:
    """The example of TIFF 6.0, section 9, and of Apple's technical note 1023, as samples of one signed byte."""
    packed = bytes.fromhex("FEAA02 80002A FDAA03 80002A22 F7AA")
    unpacked = bytes.fromhex("AAAAAA80002AAAAAAAAA80002A22AAAAAAAAAAAAAAAAAAAA")
    tags = {256: 12, 257: 2, 258: 8, 259: 32773, 339: 2}
    for content in (packed, packed + b"\x05 behind"):
        image = read(plain_tiff(content, tags))
        assert image.astype(np.int8).tobytes() == unpacked
    for content in (packed[:-1], packed[:-2], packed[:1]):
        with pytest.raises(InvalidImage):
            read(plain_tiff(content, tags))


@pytest.mark.parametrize("compression", ["lzw", "lzma", "zstd", "packbits"])
@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_more_methods_are_read_where_the_extra_is_installed(dtype: str, compression: str) -> None:
    pytest.importorskip("imagecodecs", reason="the extra `tiff`")
    samples = drawn(HEIGHT, WIDTH, 3, dtype=dtype)
    data = written(samples, photometric="rgb", compression=compression, predictor=True, rowsperstrip=5)
    np.testing.assert_array_equal(read(data), samples)


def test_without_the_extra_its_methods_are_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.engine.codecs.tiff.find_spec", lambda _: None)
    data = plain_tiff(bytes(12), {256: 2, 257: 2, 258: 16, 259: 5, 262: 2, 277: 3})
    with pytest.raises(InvalidImage, match=r"compressed by LZW cannot be read.*extra `tiff`"):
        read(data)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize(
    ("channels", "photometric", "extra", "kept", "alpha"),
    [
        (2, "minisblack", ["unassalpha"], 2, True),
        (2, "minisblack", ["unspecified"], 2, False),
        (5, "minisblack", ["unspecified"] * 4, 5, False),
        (5, "rgb", ["unassalpha", "unspecified"], 4, True),
        (4, "rgb", ["unspecified"], 3, False),
        (8, "rgb", ["unspecified"] * 5, 3, False),
    ],
)
def test_which_samples_are_kept_and_which_is_alpha(
    channels: int, photometric: str, extra: list[str], kept: int, alpha: bool, dtype: str
) -> None:
    samples = drawn(HEIGHT, WIDTH, channels, dtype=dtype)
    info, decoded = opened(written(samples, photometric=photometric, planarconfig="contig", extrasamples=extra))
    assert (info.channels, info.alpha) == (kept, alpha)
    np.testing.assert_array_equal(decoded.image, samples[:, :, :kept])


def test_associated_alpha_is_divided_out() -> None:
    samples = np.array([[[0, 0, 0, 0], [100, 200, 300, 300], [65535, 1, 2, 65535], [9, 8, 7, 4]]], np.uint16)
    image = read(written(samples, photometric="rgb", extrasamples=["assocalpha"]))
    expected = [[0, 0, 0, 0], [21845, 43690, 65535, 300], [65535, 1, 2, 65535], [65535, 65535, 65535, 4]]
    assert image[0].tolist() == expected


def test_white_may_be_zero_in_pictures() -> None:
    samples = drawn(HEIGHT, WIDTH, dtype="uint16")
    np.testing.assert_array_equal(read(written(samples, photometric="miniswhite"))[:, :, 0], 65535 - samples)


def test_deep_pictures_stay_deep_and_keep_profile_and_resolution() -> None:
    samples = drawn(HEIGHT, WIDTH, 3, dtype="uint16")
    icc = profile(b"RGB ")
    data = written(samples, photometric="rgb", iccprofile=icc, resolution=(300, 150), resolutionunit="INCH")
    decoded = opened(data)[1]
    assert decoded.icc == icc
    assert decoded.metadata.density == Density(11811, 5906, metric=True)
    identity = filter_bytes(data, {"op": "conv", "kernel": [[1]]})
    info = inspect(identity, LIMITS)
    again = decode(identity, info)
    assert (info.dtype, again.icc, again.metadata) == ("uint16", icc, decoded.metadata)
    np.testing.assert_array_equal(again.image, samples)


def test_floats_are_taken_as_arrays_are() -> None:
    samples = np.array([[0.25, 254.5, -3, 1e6]], np.float32)
    data = written(samples)
    raw = np.load(BytesIO(filter_bytes(data, {"op": "conv", "kernel": [[2]]}, answer="npy")))
    np.testing.assert_array_equal(raw[:, :, 0], 2 * samples)
    png = from_png(filter_bytes(data, {"op": "conv", "kernel": [[1]]}))
    assert png.dtype == np.uint8
    assert png.ravel().tolist() == [0, 254, 0, 255]
    rgba = written(drawn(3, 4, 4, dtype="float32"), photometric="rgb", extrasamples=["unassalpha"])
    with pytest.raises(InvalidSpec, match="arrays have no alpha"):
        filter_bytes(rgba, {"steps": [{"op": "blur", "sigma": 1}], "alpha": "premultiply"})


def test_numbers_that_are_none_are_refused_with_their_place() -> None:
    samples = np.zeros((3, 4, 3), np.float32)
    samples[1, 2, 0] = np.nan
    with pytest.raises(InvalidImage, match="row 1, column 2, channel 0 is nan"):
        read(written(samples, photometric="rgb"))


@pytest.mark.parametrize("kind", [1, 3, 4])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("bits", [8, 32])
@pytest.mark.parametrize("turned", [1, 3, 6, 8])
def test_orientation_counts_whatever_unsigned_type_it_is_stored_as(
    turned: int, bits: int, order: str, kind: int
) -> None:
    samples = drawn(3, 5, 1, dtype=f"uint{bits}")
    data = bytearray(
        plain_tiff(samples.astype(f"{order}u{bits // 8}").tobytes(), {256: 5, 257: 3, 258: bits, 274: 0}, order)
    )
    entry = data.index(struct.pack(order + "HHI", 274, 4, 1))
    value = struct.pack(order + {1: "B3x", 3: "H2x", 4: "I"}[kind], turned)
    data[entry : entry + 12] = struct.pack(order + "HHI", 274, kind, 1) + value
    expected = {
        1: samples,
        3: samples[::-1, ::-1],
        6: samples.transpose(1, 0, 2)[:, ::-1],
        8: samples.transpose(1, 0, 2)[::-1],
    }
    np.testing.assert_array_equal(read(bytes(data)), expected[turned])


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        ({258: 64}, "64 bits per sample"),
        ({258: 64, 339: 3, 257: 0}, "no pixels"),
        ({258: 64, 339: 6}, "complex TIFF of 64 bits"),
        ({258: 24, 339: 3}, "floating-point TIFF of 24 bits"),
        ({258: 12}, "TIFF of 12 bits"),
        ({258: 16, 262: 5, 277: 4}, "16 bits in CMYK colours"),
        ({258: 16, 262: 6, 277: 3}, "16 bits in YCbCr colours"),
        ({258: 16, 262: 3}, "16 bits in palette colours"),
        ({258: 16, 262: 2, 277: 2}, "RGB needs 3 samples"),
        ({258: 32, 259: 7}, "compressed by JPEG"),
        ({258: 32, 259: 12345}, "compressed by method 12345"),
        ({258: 32, 317: 9}, "predictor is 9"),
        ({258: 32, 317: 3}, "for floating-point samples"),
        ({258: 32, 266: 2}, "FillOrder 2"),
        ({258: 32, 284: 3, 277: 2}, "planar configuration is 3"),
        ({258: 32, 278: 1}, "2 strips or tiles are needed, it lists 1"),
        ({258: 32, 277: 5000}, "5,000 channels; at most 1,024"),
        ({258: 32, 277: 2}, "fewer pixels"),
        ({258: 32, 254: 1}, "reduced picture"),
        ({258: 8, 254: 1}, "reduced picture"),
        ({258: 8, 255: 2}, "reduced picture"),
        ({258: 8, 254: 4}, "transparency mask"),
    ],
)
def test_what_is_not_read_is_refused_by_name(tags: dict[int, int], words: str) -> None:
    with pytest.raises(EngineError, match=words):
        read(plain_tiff(bytes(16), {256: 2, 257: 2, **tags}))


def test_too_many_channels_and_too_large_tiles_are_refused() -> None:
    with pytest.raises(TooManyChannels):
        read(plain_tiff(bytes(16), {256: 2, 257: 2, 258: 32, 277: 5000}))
    samples = drawn(1, 3000, dtype="float64")
    with pytest.raises(ImageTooLarge, match="tiles of the TIFF have"):
        read(written(samples, tile=(1600, 1600)))


def test_an_inflated_strip_is_cut_to_its_size() -> None:
    bomb = zlib.compress(bytes(50_000_000))
    image = read(plain_tiff(bomb, {256: 2, 257: 2, 258: 32, 259: 8}))
    assert image.shape == (2, 2, 1)
    with pytest.raises(InvalidImage, match="damaged TIFF"):
        read(plain_tiff(zlib.compress(bytes(16))[:-1] + b"?", {256: 2, 257: 2, 258: 32, 259: 8}))


@pytest.mark.parametrize("compression", [1, 8])
def test_a_strip_of_no_told_length_is_as_long_as_it_must_be(compression: int) -> None:
    samples = drawn(2, 2, 1, dtype="int32")
    content = samples.tobytes() if compression == 1 else zlib.compress(samples.tobytes())
    data = plain_tiff(content, {256: 2, 257: 2, 258: 32, 259: compression, 339: 2})
    entry = data.index(struct.pack("<HHI", 279, 4, 1))
    np.testing.assert_array_equal(read(data[:entry] + struct.pack("<H", 65000) + data[entry + 2 :]), samples)
    np.testing.assert_array_equal(read(data[: entry + 8] + bytes(4) + data[entry + 12 :]), samples)


@pytest.mark.parametrize("bits", [8, 16])
def test_one_channel_may_be_called_a_plane(bits: int) -> None:
    samples = drawn(3, 5, 1, dtype=f"uint{bits}")
    data = plain_tiff(samples.tobytes(), {256: 5, 257: 3, 258: bits, 284: 2})
    np.testing.assert_array_equal(read(data), samples)


@pytest.mark.parametrize("cut", [9, 20, 60])
def test_a_cut_file_is_refused(cut: int) -> None:
    data = written(drawn(HEIGHT, WIDTH, 3, dtype="uint16"), photometric="rgb")
    with pytest.raises(InvalidImage):
        read(data[:-cut])


def test_nothing_is_logged(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    data = bytearray(written(drawn(HEIGHT, WIDTH, 3, dtype="uint16"), photometric="rgb", description="ImageJ=1.0\n"))
    for place in range(0, len(data), 7):
        data[place] ^= 0xFF
        with suppress(EngineError):
            read(bytes(data))
        data[place] ^= 0xFF
    assert not caplog.records
    assert capfd.readouterr() == ("", "")
