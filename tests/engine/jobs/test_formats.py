"""Results as JPEG, WebP, AVIF and TIFF: read by other programs' readers, and refused by name where they do not fit."""

from __future__ import annotations

import json
import subprocess
import sys
from io import BytesIO
from typing import Any

import numpy as np
import pytest
import simplejpeg
import tifffile
from numpy.typing import NDArray
from PIL import Image, ImageCms

from service.engine import codecs, filter_bytes, plan_filter
from service.engine.codecs import Coding
from service.engine.codecs.metadata import Density, Metadata
from service.engine.errors import InvalidSpec, MemoryLimit
from service.engine.jobs import Answer
from service.engine.jobs.formats import FORMATS
from service.engine.machine.limits import Limits
from tests.engine.pictures import as_png, noise

IDENTITY = {"op": "conv", "kernel": [[1]]}
LOSSY: tuple[Answer, ...] = ("jpeg", "webp", "avif")
SOUND_DECIBELS = 34.0
"""What a quality of 90 (AVIF: 75) of these coders is above for a smooth picture."""


def spec(**output: Any) -> dict[str, Any]:
    return {"steps": [IDENTITY], "output": output}


def smooth(height: int, width: int, channels: int) -> NDArray[np.uint8]:
    """Draw waves of another length and direction in each channel."""
    down, across = np.mgrid[:height, :width]
    waves = [127.5 + 120 * np.sin(across / (9 + 2 * c) + down / (13 - 2 * c) + c) for c in range(channels)]
    image: NDArray[np.uint8] = np.rint(np.stack(waves, axis=2)).astype(np.uint8)
    return image


def read(data: bytes) -> NDArray[Any]:
    """Read by Pillow, as (H, W, C)."""
    with Image.open(BytesIO(data)) as picture:
        pixels = np.asarray(picture)
    return pixels if pixels.ndim == 3 else pixels[..., None]


def decibels(image: NDArray[Any], wanted: NDArray[Any]) -> float:
    return float(10 * np.log10(255**2 / np.mean((image.astype(float) - wanted) ** 2)))


def refusal(image: NDArray[Any], document: dict[str, Any], answer: Answer, **limits: int) -> tuple[str, str]:
    """Give pointer and sentence."""
    with pytest.raises(InvalidSpec) as caught:
        filter_bytes(codecs.encode_png(image), document, answer=answer, limits=Limits(**limits))
    return caught.value.faults[0].pointer if caught.value.faults else "", caught.value.detail


@pytest.mark.parametrize("answer", LOSSY)
@pytest.mark.parametrize("channels", [1, 3])
def test_lossy_answer_is_near_to_the_result(answer: Answer, channels: int) -> None:
    image = smooth(90, 120, channels)
    found = read(filter_bytes(as_png(image), IDENTITY, answer=answer))
    assert found.shape == (90, 120, 3 if (answer, channels) == ("webp", 1) else channels)
    assert decibels(found, image) > SOUND_DECIBELS


@pytest.mark.parametrize("answer", ["webp", "avif"])
def test_alpha_goes_along(answer: Answer) -> None:
    image = smooth(60, 80, 4)
    image[image[..., 3] < 20] = 0
    found = read(filter_bytes(as_png(image), IDENTITY, answer=answer))
    assert found.shape == image.shape
    assert abs(found[..., 3].astype(int) - image[..., 3]).max() <= 12


@pytest.mark.parametrize("answer", LOSSY)
def test_quality_buys_levels_with_bytes(answer: Answer) -> None:
    image = noise(64, 64, 3)
    sizes, errors = [], []
    for quality in (1, 30, 60, 89, 90, 100):
        data = filter_bytes(as_png(image), spec(quality=quality), answer=answer)
        sizes.append(len(data))
        errors.append(-decibels(read(data), image))
    assert sizes == sorted(sizes)
    assert errors == sorted(errors, reverse=True)


def test_jpeg_has_the_levels_of_libjpeg_turbo() -> None:
    image = smooth(50, 70, 3)
    for quality, sampling in ((94, "420"), (95, "444")):
        wanted = simplejpeg.encode_jpeg(image, quality, "RGB", sampling)
        assert filter_bytes(as_png(image), spec(quality=quality), answer="jpeg")[20:] == wanted[20:]


@pytest.mark.parametrize("quality", [50, 94, 95, 100])
@pytest.mark.parametrize("channels", [1, 3])
def test_small_jpeg_is_smaller_and_as_good(channels: int, quality: int) -> None:
    image = smooth(150, 200, channels)
    fast, small = (codecs.encode("jpeg", image, Coding(compression, quality)) for compression in ("fast", "small"))
    assert len(small) < 0.97 * len(fast)
    assert decibels(read(small), image) > decibels(read(fast), image) - 0.1
    with Image.open(BytesIO(small)) as picture:
        assert picture.info["progressive"]
        assert picture.layers == channels  # type: ignore[attr-defined]


@pytest.mark.parametrize("quality", [50, 90, 94, 95, 100])
def test_small_jpeg_of_noise_is_written_and_never_larger(quality: int) -> None:
    """What has more bytes than Pillow has room for stays as it is."""
    for strength in (5, 20, 60, 255):
        image = (noise(300, 400, 3).astype(int) * strength // 255).astype(np.uint8)
        fast, small = (codecs.encode("jpeg", image, Coding(compression, quality)) for compression in ("fast", "small"))
        assert len(small) <= len(fast)
        assert abs(decibels(read(small), image) - decibels(read(fast), image)) < 1


@pytest.mark.parametrize("answer", LOSSY)
def test_quality_left_out_is_that_of_the_contract(answer: Answer) -> None:
    image = as_png(smooth(50, 70, 3))
    wanted = filter_bytes(image, spec(quality={"jpeg": 90, "webp": 90, "avif": 75}[answer]), answer=answer)
    assert filter_bytes(image, IDENTITY, answer=answer) == wanted


@pytest.mark.parametrize("compression", ["fast", "small"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_lossless_webp_is_exact(channels: int, compression: str) -> None:
    image = noise(31, 47, channels)
    document = spec(quality="lossless", compression=compression) | {"alpha": "channels"}
    found = read(filter_bytes(codecs.encode_png(image), document, answer="webp"))
    wanted = image if channels > 2 else image[..., [0, 0, 0, 1][: 3 if channels == 1 else 4]]
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("channels", [1, 2])
def test_lossless_avif_of_gray_is_exact(channels: int) -> None:
    image = noise(31, 47, channels)
    document = spec(quality="lossless") | {"alpha": "channels"}
    found = read(filter_bytes(codecs.encode_png(image), document, answer="avif"))
    np.testing.assert_array_equal(found[..., [0, -1][:channels]], image)


@pytest.mark.parametrize("compression", ["fast", "small"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_tiff_is_exact(channels: int, dtype: str, compression: str) -> None:
    image = np.random.default_rng(2).integers(0, 2 ** (8 * np.dtype(dtype).itemsize), (40, 30, channels)).astype(dtype)
    document = spec(compression=compression) | {"alpha": "channels"}
    data = filter_bytes(codecs.encode_png(image), document, answer="tiff")
    np.testing.assert_array_equal(tifffile.imread(BytesIO(data)).reshape(image.shape), image)
    np.testing.assert_array_equal(codecs.decode(data, codecs.inspect(data, Limits())).image, image)


def test_tiff_of_several_strips_is_exact_in_any_number_of_threads() -> None:
    image = noise(700, 900, 3)
    written = [codecs.encode("tiff", image, Coding(threads=threads)) for threads in (1, 3)]
    assert written[0] == written[1]
    with Image.open(BytesIO(written[0])) as picture:
        assert len(picture.tag_v2[273]) > 2  # type: ignore[attr-defined]
        np.testing.assert_array_equal(np.asarray(picture), image)


def test_tiff_has_any_number_of_channels() -> None:
    image = noise(20, 30, 3)
    weight = {"op": "conv", "weight": [[[[1]], [[0]], [[0]]], [[[0]], [[1]], [[0]]]] * 4}
    data = filter_bytes(as_png(image), weight, answer="tiff")
    np.testing.assert_array_equal(tifffile.imread(BytesIO(data)), np.concatenate([image[..., :2]] * 4, axis=2))


def test_tiff_of_floats_is_ranged_and_not_rounded() -> None:
    image = noise(20, 30, 1)
    document: dict[str, Any] = {"steps": [{"op": "conv", "kernel": [[-0.5, 1]]}], "output": {"dtype": "float32"}}
    exact = image[:, 1:].astype(float) - image[:, :-1] / 2
    for range_, wanted in (("clip", exact.clip(0, 255)), ("center", (exact + 128).clip(0, 255)), ("abs", abs(exact))):
        document["output"]["range"] = range_
        found = tifffile.imread(BytesIO(filter_bytes(as_png(image), document, answer="tiff")))
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, wanted[..., 0].astype(np.float32))


def test_tiff_of_floats_has_16_bits_in_units_of_255() -> None:
    image = np.array([[[0], [257], [65535], [1]]], np.uint16)
    found = tifffile.imread(BytesIO(filter_bytes(codecs.encode_png(image), spec(dtype="float32"), answer="tiff")))
    np.testing.assert_allclose(found[0], [0, 1, 255, 1 / 257], rtol=1e-6)


def test_tiff_says_which_channel_is_alpha() -> None:
    image = noise(5, 6, 4)
    data = filter_bytes(as_png(image), IDENTITY, answer="tiff")
    assert codecs.inspect(data, Limits()).alpha
    array = BytesIO()
    np.save(array, image)
    assert not codecs.inspect(filter_bytes(array.getvalue(), IDENTITY, answer="tiff"), Limits()).alpha


@pytest.mark.parametrize(("background", "channels"), [("#ff8000", 3), ("#808080", 1)])
def test_jpeg_shows_the_background_through(background: str, channels: int) -> None:
    gray = np.full((32, 32, 1), 200, np.uint8)
    alpha = np.repeat(np.array([0, 51, 255, 255], np.uint8), 8)[None, :, None].repeat(32, axis=0)
    image = np.concatenate([gray, alpha], axis=2)
    data = filter_bytes(codecs.encode_png(image), spec(background=background, quality=100), answer="jpeg")
    colour = np.frombuffer(bytes.fromhex(background[1:]), np.uint8)[:channels].astype(float)
    wanted = gray * (alpha / 255) + colour * (1 - alpha / 255)
    found = read(data)
    assert found.shape == (32, 32, channels)
    assert abs(found.astype(float) - wanted).max() <= 3


def test_opaque_alpha_leaves_nothing_of_the_background() -> None:
    image = smooth(30, 40, 4)
    image[..., 3] = 255
    data = filter_bytes(as_png(image), spec(background="#ff0000"), answer="jpeg")
    assert data == filter_bytes(as_png(image[..., :3]), IDENTITY, answer="jpeg")


def test_picture_without_alpha_may_have_a_background() -> None:
    image = as_png(smooth(30, 40, 3))
    assert filter_bytes(image, spec(background="#FF0000"), answer="jpeg") == filter_bytes(
        image, IDENTITY, answer="jpeg"
    )


@pytest.mark.parametrize("answer", [*LOSSY, "tiff"])
def test_profile_is_kept_while_the_colour_model_stays(answer: Answer) -> None:
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image = codecs.encode_png(smooth(20, 20, 3), icc=icc)
    with Image.open(BytesIO(filter_bytes(image, IDENTITY, answer=answer))) as picture:
        assert picture.info["icc_profile"] == icc
    with Image.open(BytesIO(filter_bytes(image, {"op": "grayscale"}, answer=answer))) as picture:
        assert not picture.info.get("icc_profile")


def test_large_profile_goes_into_several_segments_of_a_jpeg() -> None:
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    large = len(icc) + 200_000
    icc = large.to_bytes(4, "big") + icc[4:] + bytes(200_000)
    with Image.open(BytesIO(codecs.encode("jpeg", smooth(9, 9, 3), Coding(icc=icc)))) as picture:
        assert picture.info["icc_profile"] == icc


def test_gray_profile_does_not_describe_a_webp() -> None:
    icc = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    icc[16:20] = b"GRAY"
    image = codecs.encode_png(smooth(20, 20, 1), icc=bytes(icc))
    found = {}
    for answer in (*LOSSY, "tiff"):
        with Image.open(BytesIO(filter_bytes(image, IDENTITY, answer=answer))) as picture:
            found[answer] = picture.info.get("icc_profile") == bytes(icc)
    assert found == {"jpeg": True, "webp": False, "avif": True, "tiff": True}


@pytest.mark.parametrize(
    ("density", "dpi"),
    [
        (Density(11811, 5906, metric=True), (300, 150)),
        (Density(2835, 2835, metric=True), (72, 72)),
        (Density(11800, 11800, metric=True), (118 * 2.54, 118 * 2.54)),
    ],
)
def test_resolution_is_kept_where_the_format_has_one(density: Density, dpi: tuple[float, float]) -> None:
    how = Coding(metadata=Metadata(density=density))
    with Image.open(BytesIO(codecs.encode("jpeg", noise(4, 4, 3), how))) as picture:
        assert picture.info["dpi"] == pytest.approx(dpi, abs=0.01)
    data = codecs.encode("tiff", noise(4, 4, 3), how)
    assert codecs.decode(data, codecs.inspect(data, Limits())).metadata.density == density


@pytest.mark.parametrize("density", [Density(4, 3, metric=False), None, Density(70_000, 3, metric=False)])
def test_ratio_of_a_pixel_is_kept(density: Density | None) -> None:
    how = Coding(metadata=Metadata(density=density))
    data = codecs.encode("jpeg", noise(4, 4, 1), how)
    fits = density if density and density.across < 65_536 else None
    assert codecs.decode(data, codecs.inspect(data, Limits())).metadata.density == fits


@pytest.mark.parametrize("compression", ["fast", "small"])
@pytest.mark.parametrize("answer", [*LOSSY, "tiff"])
def test_same_request_gives_the_same_bytes_in_another_process_and_with_other_threads(
    answer: str, compression: str
) -> None:
    code = (
        "import hashlib, numpy as np\n"
        "from service.engine import codecs\n"
        "from service.engine.codecs import Coding\n"
        "image = np.random.default_rng(3).integers(0, 256, (160, 200, 3), dtype=np.uint8)\n"
        f"written = (codecs.encode({answer!r}, image, Coding({compression!r}, threads=n)) for n in (1, 2, 5))\n"
        "print(*(hashlib.sha256(data).hexdigest() for data in written))"
    )
    lines = [subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout] * 1
    lines.append(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout)
    assert len({digest for line in lines for digest in line.split()}) == 1


DEEP = np.full((2, 3, 1), 40_000, np.uint16)
CLEAR = noise(4, 5, 4)
REFUSED: list[tuple[NDArray[Any], dict[str, Any], Answer, str, str]] = [
    (DEEP, IDENTITY, "jpeg", "", "samples of uint16 and a JPEG has uint8"),
    (DEEP, spec(quality=80), "webp", "/output/dtype", "samples of uint16 and a WebP has uint8"),
    (CLEAR, spec(dtype="uint16"), "avif", "/output/dtype", "dtype is uint16 and an AVIF has uint8"),
    (CLEAR, spec(dtype="float32"), "png", "/output/dtype", "float32 is for image/tiff"),
    (CLEAR, IDENTITY, "jpeg", "", "the result has alpha and a JPEG has none"),
    (CLEAR, spec(quality=1), "jpeg", "/output/background", "the result has alpha"),
    (CLEAR, spec(background="#000000") | {"alpha": "channels"}, "jpeg", "/output/layout", "has 4 channels"),
    (
        CLEAR[..., :2],
        spec(quality=9) | {"alpha": "channels"},
        "jpeg",
        "/output/layout",
        "2 channels and a JPEG has 1 or 3",
    ),
    (CLEAR, spec(quality=80), "png", "/output/quality", "a PNG has no quality"),
    (CLEAR, spec(quality="lossless"), "tiff", "/output/quality", "a TIFF has no quality"),
    (CLEAR, spec(quality="lossless", background="#000000"), "jpeg", "/output/quality", "a JPEG is never lossless"),
    (CLEAR, spec(quality="lossless"), "avif", "/output/quality", "lossless here where it is gray"),
    (CLEAR, spec(background="#ffffff"), "webp", "/output/background", "a WebP keeps alpha"),
    (
        CLEAR,
        spec(media_type="image/webp"),
        "png",
        "/output/media_type",
        "image/webp, and the answer that was asked for is",
    ),
    (CLEAR, spec(media_type="image/webp"), "npy", "/output", '"output" must be left out'),
]


@pytest.mark.parametrize(("image", "document", "answer", "pointer", "words"), REFUSED)
def test_what_a_format_cannot_hold_is_refused_by_name(
    image: NDArray[Any], document: dict[str, Any], answer: Answer, pointer: str, words: str
) -> None:
    place, detail = refusal(image, document, answer)
    assert place == pointer
    assert words in detail


@pytest.mark.parametrize(("answer", "side"), [("jpeg", 65_500), ("webp", 16_383), ("avif", 32_768)])
def test_longest_side_is_bounded(answer: Answer, side: int) -> None:
    document = {"steps": [{"op": "conv", "kernel": [[1]], "stride": 1}], "output": {"compression": "fast"}}
    assert (
        read(filter_bytes(codecs.encode_png(np.zeros((1, side, 1), np.uint8)), document, answer=answer)).shape[1]
        == side
    )
    place, detail = refusal(np.zeros((1, side + 1, 1), np.uint8), document, answer)
    assert place == "/output"
    assert f"{side + 1}x1 and {FORMATS[answer].one} has at most {side:,} pixels a side" in detail


def test_montage_fits_where_channels_do_not() -> None:
    document = spec(layout="montage", quality=100)
    found = read(filter_bytes(as_png(CLEAR), document, answer="jpeg"))
    assert found.shape == read(filter_bytes(as_png(CLEAR), spec(layout="montage"))).shape


@pytest.mark.parametrize("media_type", ["image/png", "image/jpeg", "image/webp", "image/avif", "image/tiff"])
def test_plan_tells_the_media_type(media_type: str) -> None:
    output = plan_filter(spec(media_type=media_type), 60, 40)["output"]
    assert output == {"width": 60, "height": 40, "channels": 3, "dtype": "uint8", "media_type": media_type}


def test_plan_refuses_what_the_filter_would() -> None:
    with pytest.raises(InvalidSpec, match="at most 16,383 pixels"):
        plan_filter(spec(media_type="image/webp"), 20_000, 4)
    with pytest.raises(InvalidSpec, match="has no quality"):
        plan_filter(spec(quality=80), 20, 4)


def test_plan_of_a_flattened_picture_has_no_alpha() -> None:
    document = spec(media_type="image/jpeg", background="#102030")
    planned = plan_filter(document, 60, 40, channels=2)["output"]
    assert planned == {"width": 60, "height": 40, "channels": 3, "dtype": "uint8", "media_type": "image/jpeg"}


@pytest.mark.parametrize("answer", LOSSY)
def test_memory_counts_the_encoder(answer: Answer) -> None:
    image, needed = as_png(noise(1000, 1000, 3)), codecs.encode_bytes(answer, 10**6, 3 * 10**6)
    assert filter_bytes(image, IDENTITY, limits=Limits(max_memory_bytes=needed), threads=1)
    with pytest.raises(MemoryLimit):
        filter_bytes(image, IDENTITY, answer=answer, limits=Limits(max_memory_bytes=needed), threads=1)


MEASURE = """
import ctypes, json, sys
import numpy as np
from service.engine import codecs
from service.engine.codecs import Coding

PR_SET_THP_DISABLE = 41
ctypes.CDLL(None).prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0)  # a huge page would count as a whole

def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))

answer, channels, levels, quality, compression = json.loads(sys.argv[1])
shape, chance = (1000, 1500, channels), np.random.default_rng(0)
image = chance.random(shape, np.float32) if answer == "tiff" else chance.integers(0, levels, shape, dtype=np.uint8)
how = Coding(compression, quality)
codecs.encode(answer, image[:9, :9], how)
before = peak()
codecs.encode(answer, image, how)
print(peak() - before, codecs.encode_bytes(answer, 1_500_000, image.nbytes))
"""


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize(
    ("answer", "levels", "quality", "compression"),
    [
        ("jpeg", 256, 100, "fast"),
        ("jpeg", 30, 90, "small"),  # noise that Pillow still has room for
        ("webp", 256, 100, "fast"),
        ("webp", 256, 100, "small"),
        ("webp", 256, "lossless", "small"),
        ("avif", 256, 100, "fast"),
        ("avif", 256, 100, "small"),
        ("tiff", None, None, "fast"),
        ("tiff", None, None, "small"),
    ],
)
def test_memory_of_the_encoder_is_bounded(
    answer: Answer, levels: int | None, quality: object, compression: str, channels: int
) -> None:
    if (answer, channels) == ("jpeg", 4):
        channels = 3
    case = json.dumps([answer, channels, levels, quality, compression])
    done = subprocess.run([sys.executable, "-c", MEASURE, case], capture_output=True, check=True, text=True)
    needed, bound = map(int, done.stdout.split())
    assert 0 < needed < bound
