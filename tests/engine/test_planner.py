"""The planner: rows of tasks and expected choices, without data."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from service.engine import planner
from service.engine.algorithms import ALGORITHMS
from service.engine.algorithms.base import Task
from service.engine.geometry import Padding, Shape
from service.engine.steps import Conv2d, ConvTranspose2d, GradientMagnitude, Pool, Restore, Step

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
    (task(shared(15)), "fft"),
    (task(shared(63)), "fft"),
    (task(shared(15, integers=True), exact=True), "direct"),
    (task(shared(3, integers=True), exact=True), "direct"),
    (task(separable(15)), "separable"),
    (task(Conv2d(np.ones((1, 1, 63, 63)), 3, divisor=63.0**2), exact=True), "box"),
    (task(GradientMagnitude(SLOPES, SLOPES)), "gradient"),
    (task(ConvTranspose2d(np.ones((1, 1, 4, 4)), 3, stride=(2, 2))), "polyphase"),
    (Task(Conv2d(np.ones((32, 16, 3, 3))), LAYER, "float32", "float32", "float32"), "winograd"),
    (Task(Conv2d(np.ones((32, 16, 3, 3)), stride=(2, 2)), LAYER, "float32", "float32", "float32"), "mixing"),
    (task(Conv2d(np.ones((1, 3, 1, 1)))), "pointwise"),
    (task(Pool(3, "max", (2, 2), (2, 2))), "pooling"),
    (task(Restore(3, np.ones((5, 5)), "wiener")), "restoration"),
]
NAMES = {algorithm.name for algorithm in ALGORITHMS}


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


@pytest.mark.parametrize("only", sorted(NAMES))
@pytest.mark.parametrize("threads", [1, 2])
def test_workspace_bounds_what_is_allocated(only: str, threads: int) -> None:
    """Numbers as large as the photograph itself would show."""
    shape = Shape(600, 800, 3)
    steps: list[Step] = [
        shared(15),
        separable(9),
        GradientMagnitude(SLOPES, SLOPES),
        ConvTranspose2d(np.ones((1, 1, 4, 4)), 3, stride=(2, 2)),
        Conv2d(np.ones((8, 3, 3, 3)), padding=Padding(1, 1, 1, 1)),
        Conv2d(np.ones((3, 3, 1, 1))),
        Pool(3, "average", (3, 3), (1, 1), Padding(1, 1, 1, 1)),
        Restore(3, np.ones((5, 5)), "richardson_lucy", iterations=2),
    ]
    image = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    algorithm = planner.BY_NAME[only]
    for step in steps:
        given = Task(step, shape, "uint8", "uint8", "float32")
        if not algorithm.accepts(given):
            continue
        algorithm.apply(given, image, threads)  # compiles its loops
        tracemalloc.start()
        result = algorithm.apply(given, image, threads)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak - result.nbytes <= algorithm.workspace(given, threads), (only, step)
