"""What an algorithm says that it needs beside input and output bounds what it takes, and not by far too much."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from service.engine.algorithms import calls, usable
from service.engine.algorithms.base import Algorithm, Task
from service.engine.algorithms.ground import GROUND
from service.engine.algorithms.work import kept
from service.engine.steps import Conv2d, ConvTranspose2d, GradientMagnitude, NormalizedConv2d, Pool, Restore, Step
from service.engine.steps.geometry import Padding, Shape
from service.engine.steps.precision import Arithmetic

SIZE = (400, 500)
SLACK = 1 << 20
ONE = Padding(1, 1, 1, 1)
FIVE = Padding(5, 5, 5, 5)


def shared(side: int, **fields: Any) -> Conv2d:
    return Conv2d(np.random.default_rng(1).random((1, 1, side, side)), 3, **fields)


def same(side: int) -> Conv2d:
    return shared(side, padding=Padding(side // 2, side // 2, side // 2, side // 2))


def separable(side: int, **fields: Any) -> Conv2d:
    factor = np.linspace(1, 2, side)
    return Conv2d(np.multiply.outer(factor, factor)[None, None], 3, factors=(factor, factor), **fields)


def layer(inputs: int, outputs: int, side: int = 3, **fields: Any) -> Conv2d:
    return Conv2d(np.random.default_rng(2).normal(size=(outputs, inputs, side, side)), **fields)


STEPS: dict[str, Step] = {
    "small": shared(3, padding=FIVE),
    "of integers": Conv2d(np.ones((1, 1, 3, 3)), 3, padding=ONE, divisor=9.0),
    "of 9x9": same(9),
    "large": same(31),
    "very large": same(101),
    "dilated": shared(3, stride=(2, 2), dilation=(30, 30)),
    "separable": separable(9, padding=FIVE),
    "box": Conv2d(np.ones((1, 1, 25, 25)), 3, padding=FIVE, divisor=625.0),
    "first layer": layer(3, 16, padding=ONE),
    "layer": layer(32, 48, padding=ONE, divisor=3.0),
    "colours": layer(3, 3, 1),
    "gradient": GradientMagnitude(shared(3, padding=FIVE), shared(3, padding=FIVE)),
    "separable gradient": GradientMagnitude(separable(3), separable(3)),
    "normalized": NormalizedConv2d(separable(16, stride=(4, 4), padding=Padding(6, 6, 6, 6), divisor=24.0**2)),
    "upscaling": ConvTranspose2d(np.ones((1, 1, 4, 4)), 3, (2, 2), padding=ONE),
    "upscaling by unlike rows": ConvTranspose2d(shared(4).weight, 3, (2, 2)),
    "largest": Pool(3, "max", (2, 2), (2, 2)),
    "mean": Pool(3, "average", (3, 3), (1, 1), ONE),
    "wiener": Restore(3, np.ones((5, 5)), "wiener"),
    "richardson_lucy": Restore(3, np.ones((5, 5)), "richardson_lucy", iterations=2),
}
ARITHMETICS: tuple[Arithmetic, ...] = ("float32", "float64")
CASES = [
    pytest.param(algorithm, Task(step, Shape(*SIZE, step.in_channels), "uint8", "uint8", arithmetic), id=name)
    for algorithm in usable()
    for kind, step in STEPS.items()
    if kind != "very large" or algorithm not in GROUND  # by shifted sums it takes minutes
    for arithmetic in ARITHMETICS
    for name in [f"{algorithm.name}-{kind}-{arithmetic}"]
    if algorithm.accepts(Task(step, Shape(*SIZE, step.in_channels), "uint8", "uint8", arithmetic))
]
LOOSE = {"direct": {"very large", "layer"}}
"""Where more is asked for than twice what is taken: what many taps need while they are laid out."""


def is_tight(algorithm: Algorithm, task: Task) -> bool:
    """Say whether a bound is held to be no more than twice what is taken: those of the ground floor are wider."""
    kind = next(kind for kind, step in STEPS.items() if step is task.step)
    return algorithm not in GROUND and kind not in LOOSE.get(algorithm.name, set())


TIGHT = [case for case in CASES if is_tight(*case.values)]  # type: ignore[arg-type]


def taken(algorithm: Algorithm, task: Task, threads: int) -> int:
    """Measure the bytes that are taken beside the result, where nothing is kept of an image before."""
    image = np.random.default_rng(0).integers(0, 256, task.shape, dtype=np.uint8)
    algorithm.apply(task, image, threads)  # loads its loops
    again = replace(task)
    kept.forget()
    calls.forget()
    tracemalloc.start()
    try:
        result = algorithm.apply(again, image, threads)
        return tracemalloc.get_traced_memory()[1] - result.nbytes
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("algorithm", "task"), CASES)
def test_workspace_bounds_what_is_taken(algorithm: Algorithm, task: Task) -> None:
    for threads in (1, 2):
        assert taken(algorithm, task, threads) <= algorithm.workspace(task, threads)


@pytest.mark.parametrize(("algorithm", "task"), TIGHT)
def test_workspace_is_no_more_than_twice_what_is_taken(algorithm: Algorithm, task: Task) -> None:
    """Measured on one thread: of two, one may have done all before the other has begun."""
    one, two = (algorithm.workspace(task, threads) for threads in (1, 2))
    assert one <= 2 * taken(algorithm, task, 1) + SLACK
    assert two <= 2 * one


def test_every_algorithm_is_measured() -> None:
    assert {case.values[0] for case in CASES} == set(usable())
