"""The planner: rows of tasks and expected choices, without data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from service.engine.algorithms import rates
from service.engine.algorithms.base import Task
from service.engine.jobs import planner
from service.engine.loops.vectors import VECTOR_BYTES
from service.engine.steps import Conv2d, ConvTranspose2d, GradientMagnitude, Pool, Restore, Step
from service.engine.steps.geometry import Padding, Shape
from tests.floors import needs_ground, needs_loops

OTHERS = 1e-8
"""Rates that are not named: an algorithm that has others is slow."""
PRICES = {
    "call": 3e-6,
    "strip": 5e-6,
    "widen_sample": 1e-10,
    "store_sample": 4e-11,
    "root_sample": 6e-10,
    "weave_sample": 3e-10,
    "weave_sample_apart": 8e-10,
    "direct_tap": 2e-11,
    "direct_tap_double": 5e-11,
    "direct_tap_mixed": 2e-11,
    "direct_tap_mixed_double": 5e-11,
    "direct_tap_short": 1e-11,
    "separable_row": 1e-7,
    "separable_tap": 3e-11,
    "separable_tap_double": 1e-10,
    "separable_tap_short": 2e-11,
    "resample_row": 1e-7,
    "resample_tap": 5e-11,
    "resample_tap_double": 1e-10,
    "resample_tap_short": 2e-11,
    "resample_move": 4e-11,
    "resample_store": 4e-11,
    "box_sample": 9e-11,
    "polyphase_tap": 2e-11,
    "plane_sample": 5e-10,
    "fft_call": 3e-5,
    "fft_point": 8e-11,
    "fft_move": 4e-12,
    "fft_product": 3e-10,
    "settle_sample": 1.2e-09,
    "settle_tap": 7.5e-11,
    "fft_tile": 5e-5,
    "fft_kernel": 5e-6,
    "fft_point_double": 5e-10,
    "fft_product_double": 3e-11,
    "fft_store": 1e-9,
    "mixing_call": 1e-5,
    "mixing_lay": 4e-11,
    "mixing_weight": 4e-11,
    "mixing_store": 4e-11,
    "mixing_round": 6e-12,
    "pointwise_byte": 1e-11,
    "pointwise_sum": 6e-11,
    "pointwise_weave": 1e-12,
    "pointwise_store": 4e-11,
    "ground_call": 1e-6,
    "ground_byte": 4e-11,
    "ground_apart": 2.5,
    "ground_sample": 2.5e-10,
    "ground_lay": 5e-10,
    "ground_product": 2.5e-11,
    "pool_strip": 2e-5,
    "pool_byte": 4e-11,
}
"""A machine of which the choices are known."""
PRICES_OF_64_BYTES = {
    "mixing_block": 4e-8,
    "mixing_part": 6e-8,
    "mixing_vector": 3e-10,
    "mixing_single": 3e-10,
    "winograd_transform": 4e-9,
    "winograd_tiles": 2e-8,
}
"""What is counted in vectors costs as much as they are wide: sums then take the same time at every level."""
BY_THE_VECTOR = {name: price * VECTOR_BYTES / 64 for name, price in PRICES_OF_64_BYTES.items()}
GIVEN = rates.of_level(None).changed(**dict.fromkeys(rates.names(), OTHERS) | PRICES | BY_THE_VECTOR)

PHOTO = Shape(1200, 1920, 3)
LAYER = Shape(512, 512, 16)


def shared(side: int, *, integers: bool = False) -> Conv2d:
    half, weight = side // 2, np.random.default_rng(side).uniform(0, 9, (1, 1, side, side))
    return Conv2d(np.rint(weight) if integers else weight, 3, padding=Padding(half, half, half, half))


def separable(side: int) -> Conv2d:
    factor = np.linspace(1, 2, side)
    return Conv2d(np.multiply.outer(factor, factor)[None, None], 3, factors=(factor, factor))


def task(step: Step, shape: Shape = PHOTO, *, exact: bool = False) -> Task:
    return Task(step, shape, "uint8", "uint8", "float32", exact)


SLOPES = separable(3)
EXPECTED = [
    (task(shared(3)), "direct"),
    (task(shared(7)), "direct"),
    (task(shared(15)), "spectra"),
    (task(shared(63)), "spectra"),
    (task(shared(15, integers=True), exact=True), "direct"),
    (task(shared(3, integers=True), exact=True), "direct"),
    (task(separable(15)), "separable"),
    (task(Conv2d(np.ones((1, 1, 63, 63)), 3, divisor=63.0**2), exact=True), "box"),
    (task(GradientMagnitude(SLOPES, SLOPES)), "gradient"),
    (task(ConvTranspose2d(np.arange(16.0).reshape(1, 1, 4, 4) ** 2, 3, stride=(2, 2))), "polyphase"),
    (task(ConvTranspose2d(np.ones((1, 1, 4, 4)), 3, stride=(2, 2))), "resampling"),
    (task(replace(separable(4), stride=(2, 2))), "resampling"),
    (Task(Conv2d(np.ones((32, 16, 3, 3))), LAYER, "float32", "float32", "float32"), "winograd"),
    (Task(Conv2d(np.ones((32, 16, 3, 3)), stride=(2, 2)), LAYER, "float32", "float32", "float32"), "mixing"),
    (task(Conv2d(np.ones((1, 3, 1, 1)))), "pointwise"),
    (task(Pool(3, "max", (2, 2), (2, 2))), "pooling"),
    (task(Restore(3, np.ones((5, 5)), "wiener")), "restoration"),
]


ON_THE_GROUND = [
    (task(shared(3)), "shifted"),
    (task(shared(63, integers=True), exact=True), "fft"),
    (task(ConvTranspose2d(np.ones((1, 1, 4, 4)), 3, stride=(2, 2))), "shifted"),
    (task(GradientMagnitude(SLOPES, SLOPES)), "magnitude"),
    (Task(Conv2d(np.ones((32, 16, 3, 3))), LAYER, "float32", "float32", "float32"), "products"),
    (task(Pool(3, "max", (2, 2), (2, 2))), "pooling"),
    (task(Restore(3, np.ones((5, 5)), "wiener")), "restoration"),
]


@pytest.fixture(autouse=True)
def _given_rates() -> Iterator[None]:
    with rates.given(GIVEN):
        yield


@needs_ground
@pytest.mark.parametrize(("given", "name"), ON_THE_GROUND)
def test_choice_without_loops(given: Task, name: str) -> None:
    assert planner.choose(given).algorithm == name


@needs_loops
@pytest.mark.parametrize(("given", "name"), EXPECTED)
def test_choice(given: Task, name: str) -> None:
    assert planner.choose(given).algorithm == name


@pytest.mark.parametrize(("given", "name"), EXPECTED)
def test_alternatives_are_slower_and_sorted(given: Task, name: str) -> None:
    choice = planner.choose(given)
    seconds = [choice.seconds, *(seconds for _, seconds in choice.alternatives)]
    assert seconds == sorted(seconds)
    assert choice.algorithm not in dict(choice.alternatives)
    assert all(second > 0 for second in seconds)


def test_named_algorithm_is_taken() -> None:
    choice = planner.choose(task(shared(5)), only="fft")
    assert (choice.algorithm, choice.alternatives) == ("fft", ())


def test_named_algorithm_must_accept() -> None:
    with pytest.raises(LookupError, match="named pooling"):
        planner.choose(task(shared(5)), only="pooling")


def test_choice_prints_itself() -> None:
    assert " ms" in str(planner.choose(task(shared(31))))


@needs_loops
def test_rates_decide_and_are_those_of_the_block_only() -> None:
    large, names = task(shared(15)), []
    for price in (1e-3, 1e-15, 1e-3):
        with rates.given(replace(GIVEN, fft_point=price)):
            names.append(planner.choose(large).algorithm)
    assert names == ["direct", "spectra", "direct"]
    assert planner.choose(large).algorithm == "spectra"
    assert rates.rates() is GIVEN
