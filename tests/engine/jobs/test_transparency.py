"""What becomes of alpha."""

from __future__ import annotations

import tracemalloc
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from service.engine import filter_bytes
from service.engine.codecs import ImageInfo, inspect
from service.engine.jobs.prepare import prepare
from service.engine.machine.limits import Limits
from service.engine.spec.spec import parse
from service.engine.steps import Conv2d, Pool, Restore
from service.engine.steps.geometry import Padding
from tests import oracle
from tests.engine.pictures import as_png, from_png, noise
from tests.levels import assert_levels

BOX = {"op": "conv", "kernel": [[1, 1, 1]] * 3, "divisor": 9, "padding": 1, "padding_mode": "reflect"}
SLOPE = {"op": "conv", "kernel": "sobel_x", "padding": 1, "padding_mode": "reflect"}


def run(image: NDArray[np.uint8], step: dict[str, Any], **beside: Any) -> NDArray[Any]:
    return from_png(filter_bytes(as_png(image), {"steps": [step], **beside}))


def box(planes: NDArray[Any]) -> NDArray[np.float64]:
    kernel = np.ones((1, 1, 3, 3))
    step = Conv2d(kernel, planes.shape[2], padding=Padding(1, 1, 1, 1), padding_mode="reflect", divisor=9)
    return oracle.apply(step, planes)


def half_transparent(seed: int = 3) -> NDArray[np.uint8]:
    image = noise(9, 11, 4, seed=seed)
    image[2:6, 3:9, 3] = 0
    return image


def test_opaque_alpha_is_set_aside() -> None:
    image = noise(9, 11, 4)
    image[..., 3] = 255
    result = run(image, BOX)
    assert (result[..., 3] == 255).all()
    np.testing.assert_array_equal(result[..., :3], run(np.ascontiguousarray(image[..., :3]), BOX))


def test_opaque_alpha_follows_the_size() -> None:
    image = noise(9, 11, 2)
    image[..., 1] = 255
    result = run(image, {"op": "transposed", "kernel": [[1, 1], [1, 1]], "stride": 2})
    assert result.shape == (18, 22, 2)
    assert (result[..., 1] == 255).all()


def test_blur_weighs_colour_by_alpha() -> None:
    image = half_transparent()
    result = run(image, BOX)
    alpha = image[..., 3:].astype(np.float64)
    new_alpha = box(alpha)
    colour = np.where(new_alpha > 0, box(image[..., :3] * alpha) / np.where(new_alpha > 0, new_alpha, 1), 0)
    assert_levels(result[..., 3:], new_alpha)
    visible = result[..., 3] > 0
    assert_levels(result[visible][:, None, :3], colour[visible][:, None])


def test_colour_is_zero_where_nothing_is_seen() -> None:
    image = half_transparent()
    for step in (BOX, SLOPE, {"op": "grayscale"}):
        result = run(image, step)
        assert (result[..., :-1][result[..., -1] == 0] == 0).all()


def test_slope_copies_alpha() -> None:
    image = half_transparent()
    result = run(image, SLOPE, output={"range": "abs"})
    np.testing.assert_array_equal(result[..., 3], image[..., 3])
    plain = run(np.ascontiguousarray(image[..., :3]), SLOPE, output={"range": "abs"})
    visible = image[..., 3] > 0
    np.testing.assert_array_equal(result[visible][:, :3], plain[visible])


def test_preserved_alpha_is_sampled_by_a_stride() -> None:
    image = noise(9, 12, 4)
    result = run(image, {"op": "conv", "kernel": [[1, 1, 1]] * 3, "stride": 2, "padding": 1}, alpha="preserve")
    np.testing.assert_array_equal(result[..., 3], image[::2, ::2, 3])


def test_preserved_alpha_is_repeated_by_an_upscale() -> None:
    image = noise(3, 4, 4)
    result = run(image, {"op": "upscale", "factor": 3}, alpha="preserve")
    np.testing.assert_array_equal(result[..., 3], image[..., 3].repeat(3, 0).repeat(3, 1))


def test_four_plain_planes() -> None:
    image = noise(9, 11, 4)
    result = run(image, BOX, alpha="channels")
    assert_levels(result, box(image))


def test_sum_of_a_kernel_counts_alike_with_and_without_alpha() -> None:
    """A kernel of nine ones saturates an RGB picture, and no less an RGBA one that is all but opaque."""
    image = noise(9, 11, 4)
    image[..., 3] = 255
    image[0, 0, 3] = 254
    saturating = {**BOX, "divisor": None}
    result = run(image, saturating)
    assert (result[2:, 2:, :3] == run(np.ascontiguousarray(image[..., :3]), saturating)[2:, 2:]).all()
    assert (result[2:, 2:, 3] == 255).all()


@pytest.mark.parametrize("step", [BOX, SLOPE, {"op": "upscale"}, {"op": "pool", "method": "max", "size": 2}])
@pytest.mark.parametrize("mode", ["auto", "preserve", "premultiply", "channels"])
@pytest.mark.parametrize("channels", [2, 4])
def test_every_mode_takes_every_step(step: dict[str, Any], mode: str, channels: int) -> None:
    image = noise(6, 8, channels)
    assert run(image, step, alpha=mode).shape[2] == channels


RED, WHITE, BLACK = (255, 0, 0), (255, 255, 255), (0, 0, 0)
MAX = {"op": "pool", "method": "max", "size": 2}


@pytest.mark.parametrize(
    ("clear", "alpha", "opaque", "expected"),
    [
        pytest.param(WHITE, 0, RED, (*RED, 255), id="a clear colour never wins"),
        pytest.param(WHITE, 128, BLACK, (128, 128, 128, 255), id="half-clear white lightens opaque black by half"),
        pytest.param(WHITE, 128, WHITE, (*WHITE, 255), id="white stays white"),
    ],
)
def test_the_largest_is_that_of_weighted_colours(
    clear: tuple[int, ...], alpha: int, opaque: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    image = np.array([[(*clear, alpha), (*opaque, 255)], [(*clear, 0), (*clear, 0)]], np.uint8)
    assert tuple(run(image, MAX)[0, 0]) == expected


def test_largest_of_weighted_colours_is_the_oracles() -> None:
    image = half_transparent()
    step = Pool(3, "max", (3, 2), (1, 2), Padding(1, 0, 1, 1))
    spec = {"op": "pool", "method": "max", "size": [3, 2], "stride": [1, 2]}
    result = run(image, {**spec, "padding": {"top": 1, "bottom": 0, "left": 1, "right": 1}})
    alpha = oracle.apply(step, image[..., 3:])
    colour = oracle.apply(step, image[..., :3] * image[..., 3:].astype(np.int64)) / np.where(alpha > 0, alpha, 1)
    assert_levels(result, np.concatenate([np.where(alpha > 0, colour, 0), alpha], axis=2))


@pytest.mark.parametrize(("method", "gain"), [("wiener", 1 / (1 + 0.01)), ("inverse", 1.0), ("richardson_lucy", 1.0)])
def test_restored_are_weighted_colours_and_alpha(method: Any, gain: float) -> None:
    psf = np.array([[1, 2, 1], [2, 20, 2], [1, 2, 1]]) / 32
    image = half_transparent()
    step = Restore(1, psf, method)
    beside = {"iterations": 20} if method == "richardson_lucy" else {}
    result = run(image, {"op": "deconvolve", "psf": psf.tolist(), "method": method, **beside})
    alpha = oracle.apply(step, image[..., 3:] / 255.0) * 255 / gain
    planes = [oracle.apply(step, image[..., c : c + 1] * (image[..., 3:] / 255.0)) for c in range(3)]
    colour = np.concatenate(planes, axis=2) * 255 / np.where(alpha > 0, alpha, 1)
    seen = (alpha >= 0.5)[..., 0]
    assert_levels(result[..., 3:], alpha)
    assert_levels(result[seen][:, None, :3], np.clip(colour, -1, 256)[seen][:, None])
    assert not result[~seen].any()


SHOWS_NO_CLEAR_COLOUR: list[dict[str, Any]] = [
    BOX,
    MAX,
    {"op": "pool", "method": "average", "size": 3, "stride": 1, "padding": 1},
    {"op": "blur", "sigma": 1},
    {"op": "sharpen"},
    {"op": "upscale", "factor": 2, "method": "bicubic"},
    {"op": "downscale", "factor": 2, "method": "bilinear"},
    {"op": "downscale", "factor": 3, "method": "area"},
    {"op": "transposed", "kernel": [[1, 2], [3, 4]], "stride": 2},
    {"op": "depthwise", "kernels": [[[1, 2, 1]], [[1, 1, 1]], [[2, 0, 1]]], "divisor": "sum"},
    {"op": "deconvolve", "psf": [[1, 2, 1], [2, 20, 2], [1, 2, 1]], "method": "richardson_lucy", "iterations": 3},
    {"op": "deconvolve", "psf": {"name": "gaussian", "sigma": 0.5}},
    {"op": "conv", "kernel": np.ones((31, 31)).tolist(), "divisor": "sum", "padding": "same"},
    {"op": "conv", "kernel": {"name": "gaussian", "sigma": 4}, "padding": "same"},
]


@pytest.mark.parametrize("step", SHOWS_NO_CLEAR_COLOUR)
@pytest.mark.parametrize("after", [[], [{"op": "gradient"}]], ids=["alone", "before a slope"])
def test_colour_of_a_clear_sample_never_shows(step: dict[str, Any], after: list[dict[str, Any]]) -> None:
    image = half_transparent()
    image[5:, 6:, 3] = 0
    other = image.copy()
    other[image[..., 3] == 0, :3] ^= 0xFF
    one, two = (from_png(filter_bytes(as_png(either), {"steps": [step, *after]})) for either in (image, other))
    np.testing.assert_array_equal(one, two)


KEEPS_A_FLAT_COLOUR: list[dict[str, Any]] = [
    {"op": "blur", "sigma": 2},
    {"op": "blur", "method": "box", "size": 5},
    {"op": "sharpen"},
    {"op": "conv", "kernel": {"name": "gaussian", "sigma": 1}, "stride": 2},
    {"op": "upscale", "factor": 3, "method": "bicubic"},
    {"op": "pool", "method": "average", "size": 2},
    MAX,
    {"op": "deconvolve", "psf": {"name": "gaussian", "sigma": 0.7}, "method": "inverse"},
]


@pytest.mark.parametrize("step", KEEPS_A_FLAT_COLOUR)
@pytest.mark.parametrize("space", ["coded", "linear"])
def test_one_colour_of_any_alpha_stays_that_colour(step: dict[str, Any], space: str) -> None:
    """A soft edge neither darkens nor takes the colour beyond it, however little of it is left."""
    y, x = np.indices((40, 50))
    alpha = np.clip(295 - 6 * np.hypot(y - 20, x - 25), 0, 255).astype(np.uint8)
    colour = np.where(alpha[..., None] > 0, (240, 236, 229), (0, 255, 0)).astype(np.uint8)
    result = run(np.dstack([colour, alpha]), step, color_space=space)
    assert (result[result[..., 3] > 0][:, :3] == (240, 236, 229)).all()


@pytest.mark.parametrize(("kernel", "divisor"), [(1, 4), (1, 8), (3, 8)])
def test_ties_of_weighted_colours_are_rounded_to_even(kernel: int, divisor: int) -> None:
    """Colours c of equal alpha a: the sum of a c over the sum of a is a quotient of whole numbers."""
    image = noise(40, 41, 4)
    image[..., 3] = np.array([128, 64, 255, 3])[np.arange(41) // 2 % 4]
    image[:, 40, 3] = 0
    result = run(image, {"op": "conv", "kernel": [[kernel] * 2] * 2, "divisor": divisor})
    alpha = image[..., 3:].astype(np.int64)

    def sums(planes: NDArray[Any]) -> NDArray[Any]:
        down = planes[:-1] + planes[1:]
        return np.asarray(down[:, :-1] + down[:, 1:])

    numerator = sums(image[..., :3] * alpha) * 4 * kernel
    denominator = np.maximum(sums(alpha) * divisor, 1)
    below, rest = numerator // denominator, numerator % denominator * 2
    levels = np.minimum(below + ((rest > denominator) | ((rest == denominator) & (below % 2 == 1))), 255)
    assert (rest == denominator).any()
    np.testing.assert_array_equal(result[..., :3], levels)


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_colours_reduced_by_their_alpha_are_whole_quotients_to_the_very_edge(factor: int) -> None:
    """Colours c of alpha a with weights w: the sum of w a c over that of w a, and of w a over that of w inside."""
    image = noise(33, 42, 4)
    image[..., 3] &= 0xE0
    result = run(image, {"op": "downscale", "factor": factor, "method": "bilinear"})
    alpha = image[..., 3:].astype(np.int64)
    triangle = np.minimum(np.arange(1, 4 * factor, 2), np.arange(1, 4 * factor, 2)[::-1])

    def sums(planes: NDArray[Any]) -> NDArray[Any]:
        for axis in (0, 1):
            outputs, reach = planes.shape[axis] // factor, factor // 2
            lines = np.moveaxis(planes, axis, 0)
            padded = np.concatenate([np.zeros((reach, *lines.shape[1:]), int), lines, np.zeros_like(lines)])
            seen = [np.tensordot(triangle, padded[i * factor :][: 2 * factor], (0, 0)) for i in range(outputs)]
            planes = np.moveaxis(np.stack(seen), 0, axis)
        return planes

    def levels(numerator: NDArray[Any], denominator: NDArray[Any]) -> NDArray[Any]:
        below, rest = numerator // np.maximum(denominator, 1), numerator % np.maximum(denominator, 1) * 2
        return np.asarray(below + ((rest > denominator) | ((rest == denominator) & (below % 2 == 1))))

    cover = sums(alpha)
    np.testing.assert_array_equal(result[..., 3:], levels(cover, sums(np.ones_like(alpha))))
    shown = levels(sums(image[..., :3] * alpha), cover)
    shown[result[..., 3] == 0] = 0
    np.testing.assert_array_equal(result[..., :3], shown)


def test_what_a_transform_leaves_of_no_alpha_is_none() -> None:
    """A large kernel goes through spectra, which round. Colour divided by such an alpha would be noise."""
    image = noise(120, 150, 4)
    image[:, 60:, 3] = 0
    kernel = np.random.default_rng(1).random((51, 51)).tolist()
    spec = {"op": "conv", "kernel": kernel, "divisor": "sum", "padding": "same"}
    raw = filter_bytes(as_png(image), spec, answer="npy")
    planes = np.load(BytesIO(raw))
    assert not planes[:, 87:].any()


@pytest.mark.parametrize(
    "step",
    [
        BOX,
        SLOPE,
        {"op": "blur", "sigma": 3},
        {"op": "conv", "kernel": {"name": "disk", "radius": 15}, "padding": "same"},
        {"op": "conv", "kernel": [[1] * 31] * 31, "divisor": "sum", "padding": "same"},
        {"op": "upscale", "factor": 2},
        {"op": "downscale", "factor": 2, "method": "lanczos3"},
        {"op": "pool", "method": "max", "size": 3, "stride": 1},
        {"op": "deconvolve", "psf": {"name": "disk", "radius": 3}, "method": "wiener"},
    ],
)
@pytest.mark.parametrize("mode", ["preserve", "premultiply"])
def test_memory_planned_for_a_picture_with_alpha_is_not_exceeded(step: dict[str, Any], mode: str) -> None:
    data, bounds = as_png(noise(300, 400, 4)), Limits()
    spec = {"steps": [step], "alpha": mode}
    plan = prepare(inspect(data, bounds), parse(spec, bounds), bounds, "png")
    filter_bytes(data, spec, threads=2)
    tracemalloc.start()
    try:
        filter_bytes(data, spec, threads=2)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak <= plan.peak_bytes


def test_fewer_threads_are_planned_where_more_would_take_too_much_memory() -> None:
    info = ImageInfo("png", 1000, 1000, 3, "uint8", alpha=False)
    kernel = (
        np.random.default_rng(1).integers(-9, 10, (255, 255)).tolist()
    )  # too uneven for running sums, which need little
    spec = {"op": "conv", "kernel": kernel, "padding": "same", "mode": "convolution"}
    threads = []
    for memory in (1 << 33, 1 << 28, 1 << 27):
        bounds = Limits(max_memory_bytes=memory)
        plan = prepare(info, parse(spec, bounds), bounds, "png")
        assert plan.peak_bytes <= memory
        threads.append(plan.operations[0].choices[0].threads)
    assert threads == sorted(threads, reverse=True)
    assert threads[0] > threads[-1]
