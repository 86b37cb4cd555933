"""blend: a chain that looks back."""

from __future__ import annotations

import tracemalloc
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from service.engine import filter_bytes, filter_image
from service.engine.codecs import encode_png, inspect
from service.engine.errors import EngineError, InvalidSpec
from service.engine.figures.document import figure_document
from service.engine.jobs.keeping import kept_bytes
from service.engine.jobs.plan import Plan
from service.engine.jobs.prepare import prepare
from service.engine.machine.limits import Limits
from service.engine.spec.spec import parse
from service.engine.steps import INPUT
from service.engine.steps.geometry import Shape
from tests import oracle
from tests.engine.pictures import as_png, from_png, noise
from tests.levels import assert_levels

BLUR = {"op": "blur", "sigma": 2}
TENT = {
    "op": "separable",
    "column": [0.25, 0.5, 0.25],
    "row": [0.25, 0.5, 0.25],
    "padding": "same",
    "padding_mode": "reflect",
}


def blend(other: str | int, first: float, second: float, **fields: Any) -> dict[str, Any]:
    return {"op": "blend", "with": other, "weights": [first, second], **fields}


def raw(image: NDArray[Any], *steps: dict[str, Any], **beside: Any) -> NDArray[np.float32]:
    """Give the unclipped result for a picture."""
    return np.asarray(np.load(BytesIO(filter_bytes(as_png(image), {"steps": list(steps), **beside}, answer="npy"))))


def planned(image: NDArray[Any], *steps: dict[str, Any], limits: Limits | None = None) -> Plan:
    bounds = limits or Limits()
    return prepare(inspect(as_png(image), bounds), parse({"steps": list(steps)}, bounds), bounds, "png")


def test_input_is_that_before_all_steps() -> None:
    image = noise(20, 31, 3).astype(np.float64)
    soft = filter_image(image, BLUR).astype(np.float64)
    result = filter_image(image, {"steps": [BLUR, blend("input", -1, 2.5, bias=7)]})
    np.testing.assert_allclose(result, 2.5 * image - soft + 7, atol=1e-3)


def test_number_is_that_of_a_step_even_of_one_in_two_parts() -> None:
    image = noise(20, 31, 3).astype(np.float64)
    parts = {
        "op": "depthwise_separable",
        "depthwise": [[[1, 2]]] * 3,
        "pointwise": np.eye(3).tolist(),
        "padding": "same",
    }
    chain = [parts, TENT, {"op": "gradient"}]
    results = [filter_image(image, {"steps": chain[: count + 1]}).astype(np.float64) for count in range(3)]
    for number in range(3):
        result = filter_image(image, {"steps": [*chain, blend(number, 0.5, 2)]})
        np.testing.assert_allclose(result, 0.5 * results[2] + 2 * results[number], atol=2e-3)


def test_two_steps_may_look_back_at_one() -> None:
    image = noise(12, 13).astype(np.float64)
    result = filter_image(image, {"steps": [blend("input", 2, 0), blend("input", 1, 1), blend(0, 1, -1)]})
    np.testing.assert_allclose(result[..., 0], image, atol=1e-4)


def test_difference_of_two_gaussians_is_one_kernel() -> None:
    """Away from the rim, where each blur reflects for itself: the blur of a blur is that of the wider Gaussian."""
    image = noise(60, 70).astype(np.float64)
    chain = [BLUR, {"op": "blur", "sigma": 1.5}, blend(0, -1, 1)]
    wide = filter_image(image, {"op": "blur", "sigma": 2.5}).astype(np.float64)
    expected = filter_image(image, BLUR) - wide
    inner = slice(20, -20)
    np.testing.assert_allclose(filter_image(image, {"steps": chain})[inner, inner], expected[inner, inner], atol=0.1)


def test_bias_is_one_for_each_channel() -> None:
    image = noise(3, 4, 3)
    result = raw(image, blend("input", 1, 0, bias=[1, 20, 300]))
    np.testing.assert_array_equal(result, image + np.array([1.0, 20, 300]))


@pytest.mark.parametrize("weights", [(-1, 2), (-0.5, 1.5), (0.25, 0.25), (-3, 3.0625)])
def test_multiples_of_a_power_of_two_round_ties_to_even(weights: tuple[float, float]) -> None:
    image = noise(30, 41, 3) & np.uint8(0xF8)
    padded = np.pad(image.astype(np.int64), ((1, 1), (1, 1), (0, 0)), mode="reflect")
    down = padded[:-2] + 2 * padded[1:-1] + padded[2:]
    sixteenths = down[:, :-2] + 2 * down[:, 1:-1] + down[:, 2:]
    first, second = (int(16 * weight) for weight in weights)
    sums, over = first * sixteenths + second * 16 * image.astype(np.int64), 256
    below, rest = sums // over, sums % over * 2
    levels = np.clip(below + ((rest > over) | ((rest == over) & (below % 2 == 1))), 0, 255)
    assert (rest == over).any()
    result = from_png(filter_bytes(as_png(image), {"steps": [TENT, blend("input", *weights)]}))
    np.testing.assert_array_equal(result, levels)


def test_sixteen_bits_count_as_levels() -> None:
    image = noise(20, 21, 3).astype(np.uint16) * 257
    chain = {"steps": [BLUR, blend("input", -1, 2, bias=5)]}
    fine = np.load(BytesIO(filter_bytes(encode_png(image), chain, answer="npy")))
    np.testing.assert_allclose(fine, raw((image // 257).astype(np.uint8), *chain["steps"]), atol=1e-3)


def test_linear_light_is_what_is_summed() -> None:
    """The mean of black and white, side by side, by halves of light: 188 coded, where the levels' mean is 127.5."""
    image = np.zeros((4, 4, 3), np.uint8)
    image[:, ::2] = 255
    mirrored = {"op": "conv", "kernel": [[1, 0, 0]], "padding": {"top": 0, "bottom": 0, "left": 1, "right": 1}}
    result = raw(image, mirrored | {"padding_mode": "circular"}, blend("input", 0.5, 0.5), color_space="linear")
    np.testing.assert_allclose(result, 187.5, atol=0.1)


def half_clear() -> NDArray[np.uint8]:
    image = noise(18, 22, 4)
    image[:9, :, 3] = 255
    image[9:, 11:, 3] = 0
    return image


def test_blur_and_blend_treat_alpha_as_the_one_kernel_does() -> None:
    image = half_clear()
    sharpened = from_png(filter_bytes(as_png(image), {"op": "sharpen", "sigma": 1.2, "amount": 0.7}))
    steps = [{"op": "blur", "sigma": 1.2}, blend("input", -0.7, 1.7)]
    result = from_png(filter_bytes(as_png(image), {"steps": steps}))
    difference = np.abs(result.astype(int) - sharpened)
    assert difference[..., 3].max() <= 1
    seen = np.minimum(result[..., 3], sharpened[..., 3]) > 8
    assert difference[seen].max() <= 1


def test_weights_that_sum_to_zero_leave_alpha() -> None:
    image = half_clear()
    result = raw(image, {"op": "pool", "method": "max", "size": 1}, blend("input", -1, 1, bias=9))
    np.testing.assert_array_equal(result[..., 3], image[..., 3])
    seen = image[..., 3] > 0
    np.testing.assert_allclose(result[seen][:, :3], 9, atol=1e-9)
    assert not result[~seen].any()


def test_preserved_alpha_is_that_of_the_result_so_far() -> None:
    image = half_clear()
    result = raw(image, blend("input", 1, 1, bias=-20), alpha="preserve")
    seen = image[..., 3] > 0
    np.testing.assert_array_equal(result[seen][:, :3], 2.0 * image[seen][:, :3] - 20)
    np.testing.assert_array_equal(result[..., 3], image[..., 3])


def test_alpha_as_a_channel_is_summed_like_the_others() -> None:
    image = half_clear()
    np.testing.assert_array_equal(raw(image, blend("input", 1, 0.5), alpha="channels"), 1.5 * image)


@pytest.mark.parametrize("weights", [(1, 1), (-1, 2), (2, -0.5)])
def test_colour_of_a_clear_sample_never_shows(weights: tuple[float, float]) -> None:
    image = half_clear()
    other = image.copy()
    other[image[..., 3] == 0, :3] ^= 0xFF
    chain = {"steps": [BLUR, blend("input", *weights)]}
    one, two = (from_png(filter_bytes(as_png(either), chain)) for either in (image, other))
    np.testing.assert_array_equal(one, two)


def test_result_of_another_shape_is_refused_with_both() -> None:
    steps = [{"op": "downscale"}, blend("input", 1, 1)]
    words = "the input, which has 20x10 samples in 3 colour channels, and the result so far has 10x5 in 3"
    with pytest.raises(InvalidSpec, match=words) as refused:
        planned(noise(10, 20, 3), *steps)
    assert refused.value.faults[0].pointer == "/steps/1/with"


@pytest.mark.parametrize(
    ("steps", "pointer", "words"),
    [
        ([blend(0, 1, 1)], "/steps/0/with", 'with must be "input": no step comes before, was 0'),
        ([BLUR, blend(1, 1, 1)], "/steps/1/with", "number of an earlier step, from 0 to 0, was 1"),
        ([BLUR, blend(7, 1, 1)], "/steps/1/with", "from 0 to 0, was 7"),
        ([BLUR, blend(-1, 1, 1)], "/steps/1/with", "from 0, was -1"),
        ([BLUR, blend("Input", 1, 1)], "/steps/1/with", 'was "Input"'),
        ([BLUR, {"op": "blend", "weights": [1, 1]}], "/steps/1/with", "with is missing"),
        ([BLUR, {"op": "blend", "with": 0}], "/steps/1/weights", "weights is missing"),
        ([BLUR, {"op": "blend", "with": 0, "weights": [1, 2, 3]}], "/steps/1/weights", "was a list of 3"),
        ([BLUR, {"op": "blend", "with": 0, "weights": 0.5}], "/steps/1/weights", "a list of two numbers, was 0.5"),
        ([BLUR, {"op": "blend", "with": True, "weights": [1, 1]}], "/steps/1/with", "was true"),
    ],
)
def test_what_it_cannot_look_back_at_is_refused(steps: list[dict[str, Any]], pointer: str, words: str) -> None:
    with pytest.raises(InvalidSpec) as refused:
        parse({"steps": steps}, Limits())
    ((where, why),) = refused.value.faults
    assert where == pointer
    assert words in why


def test_bias_of_another_length_is_refused() -> None:
    with pytest.raises(InvalidSpec, match="bias has 2 numbers for 3 output channels"):
        planned(noise(4, 4, 3), blend("input", 1, 1, bias=[1, 2]))


def test_figure_refuses_it_by_name() -> None:
    body = b'{"spec": {"op": "blend", "with": "input", "weights": [1, 1]}, "image": {"width": 4, "height": 4}}'
    with pytest.raises(EngineError, match='op is "blend"'):
        figure_document(body, Limits())


def test_results_are_kept_as_long_as_they_are_looked_back_at() -> None:
    image = noise(100, 100, 3)
    plan = planned(image, BLUR, TENT, blend(0, 1, 1), TENT, blend("input", 1, 1), TENT)
    assert plan.last_uses == {0: 2, -1: 4}


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("looks_back", [True, False])
def test_memory_planned_is_not_exceeded(channels: int, looks_back: bool) -> None:
    image = noise(300, 400, channels)
    chain: list[dict[str, Any]] = [BLUR, TENT, TENT, blend("input", -1, 2), blend(0 if looks_back else "input", -1, 2)]
    plan = planned(image, *chain)
    data = as_png(image)
    filter_bytes(data, {"steps": chain}, threads=2)
    tracemalloc.start()
    try:
        filter_bytes(data, {"steps": chain}, threads=2)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak <= plan.peak_bytes


def test_what_is_kept_counts_as_memory_until_its_last_use() -> None:
    large, small = Shape(10, 10, 3), Shape(5, 5, 3)
    results = [large, large, small, small, small, small]
    assert kept_bytes({0: 2}, results, (1, 4), alpha=False) == [0, 1200, 1200, 0, 0]
    assert kept_bytes({1: 4, INPUT: 3}, results, (1, 4), alpha=False) == [300, 300, 600, 600, 300]
    assert kept_bytes({0: 2, INPUT: 2}, results, (2, 4), alpha=True) == [800, 4000, 4000, 0, 0]


def test_more_is_planned_where_more_is_kept() -> None:
    image = noise(2000, 2000, 3)  # large beside what the threads have for themselves
    chain: list[dict[str, Any]] = [{"op": "conv", "kernel": [[0.3]]}, TENT, TENT]
    assert planned(image, *chain, blend(0, 1, 1)).peak_bytes > planned(image, *chain, TENT).peak_bytes + image.size


def test_strips_and_threads_do_not_show() -> None:
    image = noise(211, 503, 3)
    spec = {"steps": [BLUR, blend("input", -0.3, 1.3, bias=0.25)]}
    one, three = (from_png(filter_bytes(as_png(image), spec, threads=threads)) for threads in (1, 3))
    np.testing.assert_array_equal(one, three)
    (step,) = parse(BLUR, Limits()).steps[0].steps(Shape(*image.shape))
    exact = 1.3 * image - 0.3 * oracle.apply(step, image) + 0.25
    assert_levels(one, exact)
