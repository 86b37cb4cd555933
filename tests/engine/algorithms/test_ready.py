"""What is made ready: once for a task, and never more than a bound of it."""

from __future__ import annotations

import gc
from weakref import ref

import numpy as np
import pytest
from numpy.typing import NDArray

from service.engine.algorithms import usable
from service.engine.algorithms.base import Algorithm, Task
from service.engine.algorithms.ready import KEPT_BYTES, LARGE_ONES, SMALL_BYTES, ready
from service.engine.steps import Conv2d
from service.engine.steps.geometry import Shape
from tests.engine.algorithms.grid import steps_for

MANY = 3 * LARGE_ONES


def tasks(count: int) -> list[Task]:
    step = Conv2d(np.ones((1, 1, 1, 1)))
    return [Task(step, Shape(1, 1, 1), "uint8", "uint8", "float32") for _ in range(count)]


def test_it_is_made_once_for_each_task() -> None:
    made = ready(lambda task: np.zeros(1))
    first, second = tasks(2)
    assert made(first) is made(first)
    assert made(first) is not made(second)


@pytest.mark.parametrize(
    ("size", "stay"),
    [(SMALL_BYTES, MANY), (SMALL_BYTES + 1, LARGE_ONES), (KEPT_BYTES, LARGE_ONES), (KEPT_BYTES + 1, 0)],
)
def test_of_large_things_the_last_few_are_kept(size: int, stay: int) -> None:
    calls: list[Task] = []

    @ready
    def made(task: Task) -> NDArray[np.uint8]:
        calls.append(task)
        return np.zeros(size, np.uint8)

    some = tasks(MANY)
    for task in some:
        made(task)
    for task in some[MANY - stay :]:
        made(task)
    assert len(calls) == MANY
    for task in some[: MANY - stay]:
        made(task)
    assert len(calls) == 2 * MANY - stay


@pytest.mark.parametrize("algorithm", usable(), ids=lambda algorithm: algorithm.name)
def test_nothing_outlives_its_task(algorithm: Algorithm) -> None:
    for step in steps_for(algorithm):
        task = Task(step, Shape(40, 50, step.in_channels), "uint8", "uint8", "float32")
        if algorithm.accepts(task):
            break
    else:
        pytest.fail(f"no step for {algorithm.name}")
    algorithm.apply(task, np.zeros(task.shape, np.uint8), 1)
    reference = ref(task)
    del task
    gc.collect()
    assert reference() is None
