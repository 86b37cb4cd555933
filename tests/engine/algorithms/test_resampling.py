"""Images enlarged and reduced by the loop of two passes, at the sizes and types where blocks, pieces and tables end."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from service.engine.algorithms.base import Sample, Task
from service.engine.algorithms.rank_one import MOST, filter_of
from service.engine.algorithms.resampling import Resampling
from service.engine.algorithms.short import single_suffices
from service.engine.operations.downscale import Downscale
from service.engine.operations.upscale import Upscale
from service.engine.steps import Conv2d, ConvTranspose2d, NormalizedConv2d, Step, Weights
from service.engine.steps.geometry import Padding, Shape
from tests.engine.algorithms.drawn import task_of
from tests.floors import needs_loops
from tests.tolerance import assert_computes

RESAMPLING = Resampling()
SHAPES = [(1, 1, 1), (9, 8, 3), (2, 70, 4), (41, 33, 2), (7, 300, 3), (150, 19, 1), (11, 13, MOST)]
KINDS: list[tuple[Sample, Sample, Any]] = [
    ("uint8", "uint8", "float32"),
    ("uint8", "uint16", "float32"),
    ("uint16", "float32", "float32"),
    ("float32", "uint8", "float64"),
    ("float64", "float64", "float64"),
]


def drawn(shape: tuple[int, int, int], source: Sample) -> NDArray[Any]:
    random = np.random.default_rng(sum(shape))
    if source.startswith("uint"):
        return random.integers(0, np.iinfo(source).max, shape, source, endpoint=True)
    return (random.random(shape) * 255).astype(source)


def check(step: Step, image: NDArray[Any], target: Sample, arithmetic: Any) -> Task:
    task = task_of(step, image, target, arithmetic)
    assert RESAMPLING.accepts(task)
    for threads in (1, 3):
        assert_computes(task, image, RESAMPLING.apply(task, image, threads))
    return task


@needs_loops
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("method", ["nearest", "bilinear", "bicubic"])
@pytest.mark.parametrize("factor", [2, 3, 4, 8])
def test_upscaling(shape: tuple[int, int, int], method: Any, factor: int) -> None:
    (step,) = Upscale(op="upscale", factor=factor, method=method).compose(Shape(*shape))
    for source, target, arithmetic in KINDS:
        check(step, drawn(shape, source), target, arithmetic)


@needs_loops
@pytest.mark.parametrize("shape", [(9, 8, 3), (8, 140, 4), (41, 33, 2), (150, 19, 1), (11, 13, MOST)])
@pytest.mark.parametrize("method", ["area", "bilinear", "bicubic", "lanczos3"])
@pytest.mark.parametrize("factor", [2, 3, 8])
def test_downscaling(shape: tuple[int, int, int], method: Any, factor: int) -> None:
    (step,) = Downscale(op="downscale", factor=factor, method=method).compose(Shape(*shape))
    for source, target, arithmetic in KINDS:
        check(step.conv if isinstance(step, NormalizedConv2d) else step, drawn(shape, source), target, arithmetic)


@needs_loops
@pytest.mark.parametrize("shape", [(2, 2, 1), (3, 64, 1), (9, 41, 3), (6, 33, 4), (40, 170, 2)])
@pytest.mark.parametrize(("weight", "divisor"), [(1.0, 4.0), (0.25, 1.0), (1.0, 2.0)])
@pytest.mark.parametrize(
    "geometry",
    [
        {"stride": (2, 2)},
        {"stride": (1, 1)},
        {"stride": (3, 5)},
        {"stride": (2, 2), "padding": Padding(1, 1, 0, 0), "padding_mode": "reflect"},
        {"stride": (2, 2), "padding": Padding(1, 0, 1, 0)},
    ],
    ids=str,
)
def test_means_of_four_bytes(
    shape: tuple[int, int, int], weight: float, divisor: float, geometry: dict[str, Any]
) -> None:
    step = Conv2d(np.full((1, 1, 2, 2), weight), shape[2], divisor=divisor, **geometry)
    check(step, drawn(shape, "uint8"), "uint8", "float32")


@needs_loops
def test_means_of_all_kinds_of_four_bytes_are_rounded_half_to_even() -> None:
    values = np.array([0, 1, 2, 3, 126, 127, 128, 129, 252, 253, 254, 255], np.uint8)
    fours = np.stack(np.meshgrid(*[values] * 4), -1).reshape(-1, 2, 2)
    image = np.ascontiguousarray(fours.transpose(1, 0, 2).reshape(2, -1, 1))
    check(Conv2d(np.ones((1, 1, 2, 2)), 1, (2, 2), divisor=4), image, "uint8", "float32")


@needs_loops
@pytest.mark.parametrize(("source", "target", "arithmetic"), KINDS)
@pytest.mark.parametrize(
    "geometry",
    [
        {"stride": (2, 3), "dilation": (3, 2), "padding": Padding(4, 0, 7, 1), "padding_mode": "reflect"},
        {"stride": (1, 40), "padding": Padding(1, 1, 1, 1), "padding_mode": "constant", "padding_value": 7.0},
        {"stride": (9, 1), "dilation": (1, 4), "padding": Padding(9, 9, 9, 9), "padding_mode": "circular"},
        {"dilation": (2, 5), "padding": Padding(2, 2, 6, 6)},
    ],
)
def test_any_geometry_and_a_bias_for_each_channel(
    source: Sample, target: Sample, arithmetic: Any, geometry: dict[str, Any]
) -> None:
    image = drawn((43, 61, 3), source)
    for scale in (1.0, 0.3):
        kernel = np.multiply.outer([3.0, -1, 2], [1.0, 0, 2, -2]) * scale
        check(Conv2d(kernel[None, None], 3, divisor=5, **geometry), image, target, arithmetic)
        bias = np.array([3.0, 9, -40])
        check(Conv2d(kernel[None, None], 3, divisor=8, bias=bias, **geometry), image, target, arithmetic)


@needs_loops
@pytest.mark.parametrize("stride", [(2, 2), (3, 5), (1, 4), (5, 1)])
@pytest.mark.parametrize("side", [2, 4, 7])
def test_transposed_convolutions_whose_phases_differ(stride: tuple[int, int], side: int) -> None:
    """Some have fewer taps than others, and some none."""
    taps = np.arange(1.0, side + 1)
    for dilation, padding, extra in (((1, 1), Padding(1, 0, 2, 1), (0, 0)), ((3, 2), Padding(0, 2, 0, 3), (1, 1))):
        step = ConvTranspose2d(
            np.outer(taps, taps[::-1])[None, None], 3, stride, dilation, padding, extra, np.full(3, 1.5), divisor=4
        )
        for source, target, arithmetic in KINDS:
            check(step, drawn((13, 21, 3), source), target, arithmetic)


def test_what_would_take_large_tables_is_left_to_others() -> None:
    kernel = np.ones((1, 1, 2, 2))
    shape = Shape(9, 9, MOST + 1)

    def accepted(step: Step) -> bool:
        return RESAMPLING.accepts(Task(step, shape, "uint8", "uint8", "float32"))

    assert not accepted(Conv2d(kernel, MOST + 1, stride=(2, 2)))
    assert not accepted(ConvTranspose2d(kernel, MOST + 1, stride=(2, 2)))
    assert accepted(Conv2d(kernel, MOST + 1))
    assert not accepted(Conv2d(np.eye(2)[None, None], MOST + 1))


def task_of_levels(step: Step, shape: tuple[int, int, int], target: Sample = "uint8") -> Task:
    return Task(step, Shape(*shape), "uint8", target, "float64", exact=True)


@needs_loops
@pytest.mark.parametrize("seed", range(20))
def test_sums_beyond_what_float32_holds_are_clipped_as_the_exact_ones(seed: int) -> None:
    """Black and white alone make the largest sums there are, and those at which they turn from one into the other."""
    shape, random = (12, 40, 3), np.random.default_rng(seed)
    image = np.where(random.random(shape) < random.random(), np.uint8(0), np.uint8(255))
    image[6:] = random.integers(0, 256, (6, 40, 3))
    (upscale,) = Upscale(op="upscale", factor=2, method="bicubic").compose(Shape(*shape))
    (downscale,) = Downscale(op="downscale", factor=2, method="bicubic").compose(Shape(*shape))
    assert isinstance(downscale, NormalizedConv2d)
    for step in (upscale, downscale.conv):
        assert step.reach.gain * step.reach.divisor * 255 > 2**24
        task = task_of_levels(step, shape)
        assert filter_of(task).number == "float32"
        assert_computes(task, image, RESAMPLING.apply(task, image, 1))


TAPS = st.lists(st.integers(-300, 300), min_size=1, max_size=6).map(lambda taps: np.array(taps, np.float64))


@settings(max_examples=300, deadline=None)
@given(TAPS, TAPS, st.sampled_from([2.0**exponent for exponent in range(4, 18)]), st.integers(0, 2**32))
def test_float32_is_taken_only_where_it_gives_the_exact_levels(
    down: Weights, along: Weights, divisor: float, seed: int
) -> None:
    step = Conv2d(np.outer(down, along)[None, None], divisor=divisor)
    task = task_of_levels(step, (len(down), len(along), 1))
    if not single_suffices(task, [down], [along], divisor):
        return
    random, order = np.random.default_rng(seed), np.argsort(np.abs(along), kind="stable")
    for samples in (
        random.choice([0, 255], (200, len(down), len(along))),
        random.integers(0, 256, (200, len(down), len(along))),
    ):
        exact = np.einsum("d,ndx,x->n", down.astype(np.int64), samples, along.astype(np.int64))
        lines = np.zeros((200, len(along)), np.float32)
        for tap, weight in enumerate(down.astype(np.float32)):
            lines += weight * samples[:, tap].astype(np.float32)
        sums = np.zeros(200, np.float32)
        for tap in order:
            sums += np.float32(along[tap]) * lines[:, tap]
        levels = np.clip(np.rint(sums / np.float32(divisor)), 0, 255)
        np.testing.assert_array_equal(levels, np.clip(np.rint(exact / divisor), 0, 255))


def test_float32_is_not_taken_where_it_might_not_do() -> None:
    taps, shape = np.array([-27.0, 225, 67, -9]), (5, 5, 3)
    step = Conv2d(np.outer(taps, taps)[None, None], 3, divisor=2.0**16)
    assert single_suffices(task_of_levels(step, shape), [taps], [taps], 2.0**16)
    assert not single_suffices(task_of_levels(step, shape, "uint16"), [taps], [taps], 2.0**16)
    assert not single_suffices(task_of_levels(step, shape), [taps], [taps], 2.0**17)  # 2^24 is a level of 128
    assert not single_suffices(task_of_levels(step, shape), [taps], [taps], 3.0)
    assert not single_suffices(task_of_levels(step, shape), [taps], [taps], -(2.0**16))
    assert not single_suffices(task_of_levels(step, shape), [taps], [taps], 2.0**16, 0.5)
    assert not single_suffices(task_of_levels(step, shape), [taps * 256], [taps], 2.0**16)
    assert not single_suffices(task_of_levels(step, shape), [taps], [np.array([150.0, 150, 225])], 2.0**16)
