"""From numbers to samples: range, dtype, layout, light."""

from __future__ import annotations

from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import ImageCms
from tifffile import imread

from service.engine import codecs, filter_bytes
from service.engine.codecs.metadata import Density, Metadata
from service.engine.errors import InvalidSpec
from service.engine.machine.limits import Limits
from tests.engine.codecs.samples import npy
from tests.engine.pictures import as_png, from_png, noise

PHOTOGRAPH = Path(__file__).parents[3] / "docs/pictures/cat.jpg"
IDENTITY = {"op": "conv", "kernel": [[1]]}
SLOPE = {"op": "conv", "kernel": [[-1, 1]]}


def spec(step: dict[str, Any], **output: Any) -> dict[str, Any]:
    return {"steps": [step], "output": output}


def read(data: bytes) -> NDArray[Any]:
    return codecs.decode(data, codecs.inspect(data, Limits())).image


def slopes(image: NDArray[np.uint8]) -> NDArray[np.int64]:
    wide = image.astype(np.int64)
    return wide[:, 1:] - wide[:, :-1]


def test_clip_cuts_what_is_beyond() -> None:
    image = noise(7, 9, 3)
    np.testing.assert_array_equal(from_png(filter_bytes(as_png(image), SLOPE)), slopes(image).clip(0, 255))


def test_abs_shows_both_directions() -> None:
    image = noise(7, 9, 3)
    result = from_png(filter_bytes(as_png(image), spec(SLOPE, range="abs")))
    np.testing.assert_array_equal(result, np.abs(slopes(image)))


def test_center_puts_zero_in_the_middle() -> None:
    image = noise(7, 9, 1)
    result = from_png(filter_bytes(as_png(image), spec(SLOPE, range="center")))
    np.testing.assert_array_equal(result, (slopes(image) + 128).clip(0, 255))


def test_minmax_stretches_to_all_levels() -> None:
    image = noise(7, 9, 1) // 4
    result = from_png(filter_bytes(as_png(image), spec(IDENTITY, range="minmax")))
    wide = image.astype(float)
    np.testing.assert_array_equal(result, np.rint((wide - wide.min()) * 255 / (wide.max() - wide.min())))


def test_minmax_of_a_flat_picture_is_black() -> None:
    assert not from_png(filter_bytes(as_png(np.full((3, 3, 1), 7, np.uint8)), spec(IDENTITY, range="minmax"))).any()


def test_eight_bits_become_sixteen() -> None:
    image = noise(5, 6, 3)
    result = read(filter_bytes(as_png(image), spec(IDENTITY, dtype="uint16")))
    assert result.dtype == np.uint16
    np.testing.assert_array_equal(result, image.astype(np.uint16) * 257)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_sixteen_bits_stay_whole(channels: int) -> None:
    image = np.random.default_rng(2).integers(0, 65536, (5, 6, channels), dtype=np.uint16)
    data = codecs.encode_png(image)
    np.testing.assert_array_equal(read(filter_bytes(data, {"steps": [IDENTITY], "alpha": "channels"})), image)


def test_sixteen_bits_become_eight_by_rounding() -> None:
    image = np.arange(65536, dtype=np.uint16).reshape(256, 256, 1)
    result = from_png(filter_bytes(codecs.encode_png(image), spec(IDENTITY, dtype="uint8")))
    np.testing.assert_array_equal(result, np.rint(image.astype(float) / 257))


def test_bias_is_in_units_of_255_for_sixteen_bits() -> None:
    image = np.full((2, 2, 1), 1000, np.uint16)
    result = read(filter_bytes(codecs.encode_png(image), {"op": "conv", "kernel": [[1]], "bias": 3}))
    assert (result == 1000 + 3 * 257).all()


def test_sixteen_bits_answer_arrays_in_units_of_255() -> None:
    image = np.full((2, 2, 1), 257 * 7, np.uint16)
    result = np.load(BytesIO(filter_bytes(codecs.encode_png(image), IDENTITY, answer="npy")))
    assert result.dtype == np.float32
    assert (result == 7).all()


def test_montage_lays_channels_side_by_side() -> None:
    image = noise(4, 5, 3)
    sheet = from_png(filter_bytes(as_png(image), spec(IDENTITY, layout="montage")))
    assert sheet.shape == (2 * 4 + 1, 2 * 5 + 1, 1)
    np.testing.assert_array_equal(sheet[:4, :5, 0], image[..., 0])
    np.testing.assert_array_equal(sheet[:4, 6:, 0], image[..., 1])
    np.testing.assert_array_equal(sheet[5:, :5, 0], image[..., 2])
    assert not sheet[4].any()


def test_five_channels_are_refused_with_both_ways_out() -> None:
    wide = {"op": "conv", "weight": [[[[1]]] * 3] * 5}
    with pytest.raises(InvalidSpec, match=r'"montage".*application/x-npy'):
        filter_bytes(as_png(noise(3, 3, 3)), wide)
    assert np.load(BytesIO(filter_bytes(as_png(noise(3, 3, 3)), wide, answer="npy"))).shape == (3, 3, 5)


def test_output_is_refused_beside_an_array() -> None:
    with pytest.raises(InvalidSpec, match="left out"):
        filter_bytes(as_png(noise(3, 3, 3)), spec(IDENTITY), answer="npy")


def test_linear_light_mixes_black_and_white_to_188() -> None:
    edge = np.zeros((1, 2, 1), np.uint8)
    edge[0, 1] = 255
    mean = {"op": "conv", "kernel": [[1, 1]], "divisor": 2}
    assert from_png(filter_bytes(as_png(edge), {"steps": [mean], "color_space": "linear"}))[0, 0, 0] == 188
    assert from_png(filter_bytes(as_png(edge), mean))[0, 0, 0] == 128


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_linear_light_and_back_changes_nothing(dtype: type[np.uint8 | np.uint16]) -> None:
    image = np.arange(np.iinfo(dtype).max + 1, dtype=dtype).reshape(16, -1, 1)
    result = read(filter_bytes(codecs.encode_png(image), {"steps": [IDENTITY], "color_space": "linear"}))
    np.testing.assert_array_equal(result, image)


EXTREMES: list[list[float]] = [
    [-1.7e308, 0, 1.7e308],
    [0, 1.7e308],
    [-1e308, -1e307],
    [1e-320, 1.5e-320, 2e-320],
    [0, 1e-310],
    [-3e38, 1, 3e38],
    [1, 1 + 2**-52],
]


@pytest.mark.parametrize("numbers", EXTREMES)
def test_minmax_stretches_numbers_of_any_size(numbers: list[float]) -> None:
    exact = [Fraction(number) for number in numbers]
    expected = [float((number - min(exact)) * 255 / (max(exact) - min(exact))) for number in exact]
    stretched = spec(IDENTITY, range="minmax", dtype="float32")
    result = imread(BytesIO(filter_bytes(npy(np.array([numbers])), stretched, answer="tiff")))
    np.testing.assert_allclose(result.ravel(), expected, rtol=1e-6)


OVERFLOWING = [
    {"op": "conv", "kernel": [[2]]},
    {"op": "conv", "kernel": [[1, 1]]},
    {"op": "gradient"},
    {"op": "upscale", "method": "bicubic"},
]


@pytest.mark.filterwarnings("ignore:(overflow|invalid value) encountered:RuntimeWarning")
@pytest.mark.parametrize("output", [{}, {"range": "minmax"}, {"range": "abs", "dtype": "uint16"}])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("step", OVERFLOWING, ids=lambda step: step["op"])
def test_results_beyond_the_numbers_of_their_type_are_refused(
    step: dict[str, Any], dtype: type[np.floating[Any]], output: dict[str, Any]
) -> None:
    """They would be infinite or none, and as levels any number."""
    largest = np.full((6, 6), np.finfo(dtype).max, dtype)
    largest[:3] *= -1
    with pytest.raises(InvalidSpec, match=f"beyond the range of {np.dtype(dtype)}"):
        filter_bytes(npy(largest), spec(step, **output))


THERE_AND_BACK = {"steps": [{"op": "conv", "kernel": [[factor]]} for factor in (3e29, 3e29, 1e-29, 1e-29)]}


def test_numbers_that_grow_too_large_on_the_way_are_refused() -> None:
    """The last step would bring them back, but in float32 they are infinite by then."""
    with pytest.raises(InvalidSpec, match=r"could grow to .*; at most 1e\+38"):
        filter_bytes(as_png(noise(5, 9, 1)), THERE_AND_BACK)


def test_floats_may_grow_on_the_way_as_far_as_their_type_goes() -> None:
    array = noise(5, 9, 1).astype(np.float64)
    result = np.load(BytesIO(filter_bytes(npy(array), THERE_AND_BACK, answer="npy")))
    np.testing.assert_allclose(result, 9 * array, rtol=1e-6)
    with pytest.raises(InvalidSpec, match="beyond the range of float32"):
        filter_bytes(npy(array.astype(np.float32)), THERE_AND_BACK)


def gamma(value: float) -> Metadata:
    return Metadata(((b"gAMA", round(100_000 * value).to_bytes(4, "big")),))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("value", [1.0, 0.45455, 0.55, 1.8, 0.1])
def test_linear_light_goes_by_the_gamma_of_the_file(value: float, dtype: type[np.uint8 | np.uint16]) -> None:
    """Half of black and half of white is half of the light: its level is a half to the power of gamma."""
    edge = np.zeros((1, 2, 1), dtype)
    edge[0, 1] = np.iinfo(dtype).max
    data = codecs.encode_png(edge, metadata=gamma(value))
    spec = {"steps": [{"op": "conv", "kernel": [[1, 1]], "divisor": 2}], "color_space": "linear"}
    level = np.load(BytesIO(filter_bytes(data, spec, answer="npy")))[0, 0, 0]
    assert level == pytest.approx(255 * 0.5**value, abs=1e-4)
    assert read(filter_bytes(data, spec))[0, 0, 0] == round(np.iinfo(dtype).max * 0.5**value)


@pytest.mark.parametrize("value", [0.02, 0.45455, 1.0, 2.2, 60.0])
def test_by_the_gamma_of_the_file_and_back_changes_nothing(value: float) -> None:
    image = np.arange(256, dtype=np.uint8).reshape(16, -1, 1)
    data = codecs.encode_png(image, metadata=gamma(value))
    result = read(filter_bytes(data, {"steps": [IDENTITY], "color_space": "linear"}))
    np.testing.assert_array_equal(result, image)


def test_light_that_a_gamma_would_blow_up_beyond_all_numbers_is_refused() -> None:
    data = codecs.encode_png(noise(3, 3, 1), metadata=gamma(90))
    with pytest.raises(InvalidSpec, match=r"could grow to .*; at most 1e\+38"):
        filter_bytes(data, {"steps": [{"op": "conv", "kernel": [[9]]}], "color_space": "linear"})


COLOUR = Metadata(((b"sRGB", b"\1"), (b"gAMA", b"\0\0\xb1\x8f")), Density(3937, 1969, metric=True))
STRIDED = {"op": "conv", "kernel": [[1]], "stride": [1, 2]}


@pytest.mark.parametrize(
    ("steps", "model", "size"),
    [
        ([IDENTITY], True, True),
        ([{"op": "gradient"}], True, True),
        ([{"op": "conv", "kernel": [[1, 1, 1]]}], True, True),
        ([{"op": "grayscale"}], False, True),
        ([STRIDED], True, False),
        ([{"op": "upscale", "factor": 2}], True, False),
        ([{"op": "downscale", "method": "bilinear"}], True, False),
        ([{"op": "upscale"}, {"op": "downscale", "method": "lanczos3"}], True, True),
        ([{"op": "pool", "method": "max", "size": 2}], True, False),
        ([{"op": "upscale", "factor": 2}, {"op": "pool", "method": "max", "size": 2}], True, True),
        ([STRIDED, {"op": "grayscale"}], False, False),
    ],
)
def test_what_is_told_of_the_picture_is_kept_as_long_as_it_is_true(
    steps: list[dict[str, object]], model: bool, size: bool
) -> None:
    data = codecs.encode_png(noise(6, 6, 3), metadata=COLOUR)
    answer = filter_bytes(data, {"steps": steps})
    found = codecs.decode(answer, codecs.inspect(answer, Limits())).metadata
    assert found == Metadata(COLOUR.colour if model else (), COLOUR.density if size else None)


def test_of_a_montage_nothing_is_told() -> None:
    data = codecs.encode_png(noise(6, 6, 3), metadata=COLOUR)
    answer = filter_bytes(data, spec(IDENTITY, layout="montage"))
    assert codecs.decode(answer, codecs.inspect(answer, Limits())).metadata == Metadata()


def test_profile_is_kept_while_the_colour_model_stays() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()  # names the second it was made in
    data = codecs.encode_png(noise(3, 3, 3), icc=profile)
    assert codecs.decode(data, codecs.inspect(data, Limits())).icc == profile
    kept, gray = filter_bytes(data, IDENTITY), filter_bytes(data, {"op": "grayscale"})
    assert codecs.decode(kept, codecs.inspect(kept, Limits())).icc == profile
    assert codecs.decode(gray, codecs.inspect(gray, Limits())).icc is None


def test_small_is_smaller_than_fast_and_the_same_picture() -> None:
    photograph = PHOTOGRAPH.read_bytes()
    fast = filter_bytes(photograph, spec(IDENTITY, compression="fast"))
    small = filter_bytes(photograph, spec(IDENTITY, compression="small"))
    assert len(small) < len(fast)
    np.testing.assert_array_equal(from_png(small), from_png(fast))
