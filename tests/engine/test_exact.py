"""Kernels of multiples of one power of two: the very levels, ties included, by every algorithm, on any machine.

What is right comes from integers alone: the samples and the weights as whole numbers, added up by Python's and NumPy's
integer arithmetic, and rounded half to even as a fraction.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import lcm
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from service.engine.algorithms import usable
from service.engine.codecs import inspect
from service.engine.jobs import planner
from service.engine.jobs.plan import Plan
from service.engine.jobs.prepare import prepare
from service.engine.machine.limits import Limits
from service.engine.spec.spec import parse
from service.engine.steps import Conv2d, ConvTranspose2d, NormalizedConv2d, Pool, Step
from service.engine.steps.binary import binary_places
from service.engine.steps.integers import in_integers
from service.engine.steps.taps import factors
from tests import oracle
from tests.engine.pictures import as_png, noise

Integers = NDArray[np.object_]
EIGHTHS = np.random.default_rng(5).integers(-16, 17, (6, 1, 3, 3)) / 8
MIXING = np.random.default_rng(6).integers(-8, 9, (4, 3, 3, 3)) / 16
BINOMIAL = [1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16]
LONG_BINOMIAL = [number / 1024 for number in (1, 10, 45, 120, 210, 252, 210, 120, 45, 10, 1)]
OUTER = np.outer(BINOMIAL, BINOMIAL).tolist()
HALVES = np.full((2, 2), 0.25).tolist()
TENT = np.outer([0.25, 0.5, 0.25], [0.25, 0.5, 0.25]).tolist()

SPECS: dict[str, dict[str, Any]] = {
    "nearest": {"op": "upscale", "factor": 2},
    "bilinear 2x": {"op": "upscale", "factor": 2, "method": "bilinear"},
    "bilinear 3x": {"op": "upscale", "factor": 3, "method": "bilinear"},
    "bilinear 4x": {"op": "upscale", "factor": 4, "method": "bilinear"},
    "bilinear 6x": {"op": "upscale", "factor": 6, "method": "bilinear"},
    "bilinear 8x": {"op": "upscale", "factor": 8, "method": "bilinear"},
    "bicubic 2x": {"op": "upscale", "factor": 2, "method": "bicubic"},
    "bicubic 3x": {"op": "upscale", "factor": 3, "method": "bicubic"},
    "bicubic 8x": {"op": "upscale", "factor": 8, "method": "bicubic"},
    "halved by area": {"op": "downscale"},
    "area 3x": {"op": "downscale", "factor": 3},
    "area 8x": {"op": "downscale", "factor": 8},
    "halved bilinear": {"op": "downscale", "method": "bilinear"},
    "reduced bilinear 3x": {"op": "downscale", "factor": 3, "method": "bilinear"},
    "reduced bilinear 8x": {"op": "downscale", "factor": 8, "method": "bilinear"},
    "halved bicubic": {"op": "downscale", "method": "bicubic"},
    "reduced bicubic 4x": {"op": "downscale", "factor": 4, "method": "bicubic"},
    "reduced bicubic 8x": {"op": "downscale", "factor": 8, "method": "bicubic"},
    "box 2x2": {"op": "blur", "method": "box", "size": 2},
    "box 4x4": {"op": "blur", "method": "box", "size": 4},
    "quarters": {"op": "conv", "kernel": HALVES},
    "tent": {"op": "conv", "kernel": TENT, "padding": "same", "padding_mode": "reflect"},
    "binomial": {"op": "conv", "kernel": OUTER, "padding": "same", "padding_mode": "symmetric"},
    "binomial in two passes": {"op": "separable", "column": BINOMIAL, "row": BINOMIAL, "padding": "same"},
    "long binomial": {"op": "separable", "column": LONG_BINOMIAL, "row": LONG_BINOMIAL, "padding": "same"},
    "binomial, strided": {"op": "conv", "kernel": OUTER, "stride": [2, 3], "padding": 2},
    "binomial, dilated": {"op": "conv", "kernel": OUTER, "dilation": 2, "padding": "same", "padding_mode": "circular"},
    "over 3": {"op": "conv", "kernel": TENT, "divisor": 3, "padding": 1},
    "over 1/2": {"op": "conv", "kernel": HALVES, "divisor": 0.5},
    "sum of each": {"op": "depthwise", "kernels": (np.abs(EIGHTHS[:3, 0]) + 0.125).tolist(), "divisor": "sum"},
    "with half a level": {"op": "conv", "kernel": [[0.25, 0.5]], "bias": 0.25},
    "with half a level beyond the rim": {
        "op": "conv",
        "kernel": TENT,
        "padding": 1,
        "padding_mode": "constant",
        "padding_value": 127.5,
    },
    "with a third and half a level": {"op": "conv", "kernel": [[1, 1, 1]], "divisor": 3, "bias": 0.5},
    "depthwise": {"op": "depthwise", "kernels": EIGHTHS[:3, 0].tolist(), "padding": 1},
    "groups": {"op": "conv", "weight": EIGHTHS.tolist(), "groups": 3, "bias": [0.5, 1, 2, 0.125, 0, 3]},
    "layer": {"op": "conv", "weight": MIXING.tolist(), "padding": 1, "bias": 100},
    "gray": {"op": "grayscale", "weights": [0.25, 0.5, 0.25]},
    "large": {"op": "conv", "kernel": (np.random.default_rng(7).integers(0, 3, (25, 25)) / 1024).tolist()},
    "mean of 2x2": {"op": "pool", "method": "average", "size": 2},
    "mean of 4x4": {"op": "pool", "method": "average", "size": 4, "stride": 1},
    "transposed": {"op": "transposed", "kernel": (np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 16).tolist(), "stride": 2},
    "transposed by quarters": {"op": "transposed", "kernel": HALVES, "stride": 1, "padding": 1},
    "transposed layer": {
        "op": "transposed",
        "weight": (np.random.default_rng(8).integers(-4, 9, (3, 2, 3, 3)) / 16).tolist(),
        "stride": 2,
        "bias": [0.5, 30],
    },
}
WITHOUT_TIES = {
    "nearest",
    "bilinear 3x",
    "over 1/2",
    "bicubic 3x",
    "area 3x",
    "reduced bilinear 3x",
    "reduced bicubic 4x",
    "reduced bicubic 8x",
}
CHAINS: dict[str, list[dict[str, Any]]] = {
    "doubled, then a tent": [SPECS["bilinear 2x"], SPECS["tent"]],
    "a tent, then a sum": [SPECS["tent"], {"op": "conv", "kernel": [[1, 1], [1, 1]], "divisor": 4}],
    "a tent, then a large one": [SPECS["tent"], {"op": "conv", "kernel": np.ones((20, 21)).tolist(), "divisor": 512}],
    "beyond 24 bits": [SPECS["binomial"], SPECS["binomial"], SPECS["bilinear 8x"]],
    "a gray tent, pooled": [SPECS["gray"], SPECS["tent"], SPECS["mean of 2x2"]],
    "halved, then a tent": [SPECS["halved bilinear"], SPECS["tent"]],
    "a tent, then halved": [SPECS["tent"], SPECS["halved bilinear"]],
    "through a layer": [SPECS["tent"], SPECS["layer"], {"op": "pool", "method": "max", "size": 2}],
}


def planned(image: NDArray[np.uint8], *steps: dict[str, Any]) -> Plan:
    spec = parse({"steps": list(steps), "output": {"layout": "montage"}}, Limits())
    return prepare(inspect(as_png(image), Limits()), spec, Limits(), "png")


def computed(plan: Plan, image: NDArray[Any]) -> NDArray[Any]:
    for operation in plan.operations:
        for choice in operation.choices:
            image = planner.compute(choice, image, 2)
    return image


def picture(height: int, width: int) -> NDArray[np.uint8]:
    """Draw noise, and at its left, where fine weights make ties, few levels; to the half of it the same in all rows."""
    image = noise(height, width, 3, seed=width)
    few, same = width // 2, width // 4
    image[:, :few] &= 0xC0
    image[:, :same] = image[:1, :same]
    return image


def in_whole_numbers(step: Step, samples: Integers, over: int) -> tuple[Integers, int]:
    """Apply a step to samples / `over`, all of them Python's integers; gives its results in the same way."""
    if isinstance(step, Pool):
        if step.method == "max":
            return oracle.apply(step, samples).astype(np.int64).astype(object), over
        window = np.ones((1, 1, *step.size))
        step = Conv2d(window, step.channels, step.stride, padding=step.padding, divisor=float(window.size))
    if isinstance(step, NormalizedConv2d):
        conv = replace(step.conv, divisor=1.0)
        totals, over = in_whole_numbers(conv, samples, over)
        inside, one = in_whole_numbers(conv, np.ones_like(samples), 1)
        common = lcm(*inside.ravel().tolist())
        return totals * (common // inside) * one, over * common
    assert isinstance(step, Conv2d | ConvTranspose2d)
    finest = max(Fraction(number).denominator for number in step.weight.flat)
    whole = replace(step, weight=step.weight * finest, divisor=1.0, bias=None)
    if isinstance(whole, Conv2d):
        finer = Fraction(whole.padding_value * over).denominator
        samples, over = samples * finer, over * finer
        whole = replace(whole, padding_value=whole.padding_value * over)
    sums = oracle.apply(whole, samples)
    assert np.abs(sums).max() < 2**53
    divisor, bias = Fraction(step.divisor), [Fraction(number) for number in ([0.0] if step.bias is None else step.bias)]
    parts = max(number.denominator for number in bias)
    results = sums.astype(np.int64).astype(object) * divisor.denominator * parts
    over *= finest * divisor.numerator * parts
    return results + np.array([int(number * over) for number in bias], object), over


def exact_levels(plan: Plan, image: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], bool]:
    """Compute in whole numbers, and round fractions half to even; say whether there are ties among them."""
    samples, over = image.astype(object), 1
    for operation in plan.operations:
        for step in operation.steps:
            samples, over = in_whole_numbers(step, samples, over)
    below, rest = samples // over, samples % over * 2
    up = (rest > over) | ((rest == over) & (below % 2 == 1))
    return np.clip(below + up, 0, 255).astype(np.uint8), bool((rest == over).any())


@pytest.mark.parametrize("name", SPECS)
def test_every_algorithm_rounds_ties_to_even(name: str) -> None:
    image = picture(25, 120)
    plan = planned(image, SPECS[name])
    ((choice,),) = (operation.choices for operation in plan.operations)
    levels, ties = exact_levels(plan, image)
    assert ties or name in WITHOUT_TIES
    ways = [algorithm for algorithm in usable() if algorithm.accepts(choice.task)]
    assert ways
    for algorithm in ways:
        np.testing.assert_array_equal(algorithm.apply(choice.task, image, 1), levels, algorithm.name)


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize("width", [25, 410])
def test_the_way_chosen_rounds_ties_to_even_in_rows_of_any_length(name: str, width: int) -> None:
    image = picture(25 if name == "large" or SPECS[name]["op"] == "downscale" else 7, width)
    plan = planned(image, SPECS[name])
    np.testing.assert_array_equal(computed(plan, image), exact_levels(plan, image)[0])


@pytest.mark.parametrize("name", CHAINS)
def test_a_chain_rounds_ties_to_even(name: str) -> None:
    image = picture(25, 120)
    plan = planned(image, *CHAINS[name])
    levels, ties = exact_levels(plan, image)
    assert ties
    np.testing.assert_array_equal(computed(plan, image), levels)


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (4, 1), (3, 3)])
@pytest.mark.parametrize("name", ["bilinear 2x", "bicubic 2x", "binomial", "transposed"])
def test_the_smallest_pictures_are_exact(name: str, shape: tuple[int, int]) -> None:
    image = noise(*shape, 3, seed=9)
    plan = planned(image, SPECS[name])
    np.testing.assert_array_equal(computed(plan, image), exact_levels(plan, image)[0])


@pytest.mark.parametrize(
    ("numbers", "places"),
    [
        ([1.0, -3], 0),
        ([0.5, 2], 1),
        ([0.0625, 3.25], 4),
        ([0.1], None),
        ([2.0**-24], 24),
        ([2.0**-25], None),
        ([1e30], 0),
    ],
)
def test_places_behind_the_binary_point_are_counted(numbers: list[float], places: int | None) -> None:
    assert binary_places(np.array(numbers)) == places


def test_unknown_numbers_are_multiples_of_nothing() -> None:
    assert binary_places(np.array([np.nan])) is None


def test_factors_of_multiples_of_a_power_of_two_are_such_as_well() -> None:
    found = factors(np.outer([0.25, 0.75, 0.75, 0.25], [0.25, 0.75, 0.75, 0.25]))
    assert found is not None
    np.testing.assert_array_equal(np.outer(*found) * 16, np.outer([1, 3, 3, 1], [1, 3, 3, 1]))
    assert binary_places(*found) is not None


def test_numbers_of_too_many_digits_stay_as_they_are() -> None:
    """Sums of such would not fit into float64 as integers."""
    step = Conv2d(np.array([[[[2.0**20, 2.0**-20]]]]))
    assert in_integers(step) is step


def test_layer_of_float32_numbers_stays_in_float32() -> None:
    """Weights that were learnt are multiples of a very small power of two, and not meant as such."""
    weight = np.random.default_rng(1).normal(size=(4, 3, 3, 3)).astype(np.float32) / 16
    plan = planned(noise(9, 9, 3), {"op": "conv", "weight": weight.tolist()})
    assert plan.arithmetic == "float32"
