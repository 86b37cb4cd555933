"""Choose how to compute each step: among the algorithms that can, the one with the least predicted time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.engine.algorithms import GROUND, named, with_loops
from service.engine.algorithms.base import Algorithm, Task
from service.engine.machine import compiled

THREADS = (16, 8, 4, 2, 1)
"""Threads that may share one image, most first: a plan must not depend on the cores of the planning machine."""


@dataclass(frozen=True)
class Choice:
    """One way to compute `task`, its predicted `seconds` on one thread, and the slower ways.

    `workspace` bounds the bytes that up to `threads` threads need besides input and output, also for the tasks that may
    have to be done instead.
    """

    task: Task
    algorithm: str
    seconds: float
    workspace: int
    threads: int
    alternatives: tuple[tuple[str, float], ...] = ()

    def __str__(self) -> str:
        ways = ((self.algorithm, self.seconds), *self.alternatives)
        return ", ".join(f"{name} {seconds * 1e3:.2f} ms" for name, seconds in ways)


def choose(task: Task, room: float = float("inf"), *, instead: Iterable[Task] = (), only: str | None = None) -> Choice:
    """Choose among the algorithms that accept `task` and have their loops, or take the one named `only`.

    As many threads share the work as fit into `room` bytes of workspace, but at least one; the tasks that may have to
    be done `instead` must fit too. Predictions are good to about a factor of 1.5 on the machines of rates.py; they are
    worst for images that take less than a tenth of a millisecond.
    """
    ways = sorted(
        (algorithm.seconds(task), position, algorithm.name)
        for position, algorithm in enumerate(able(task))
        if only in {None, algorithm.name}
    )
    if not ways:
        raise LookupError(f"no algorithm{'' if only is None else f' named {only}'} accepts {task}")
    seconds, _, name = ways[0]
    others = [(named(choose(other).algorithm), other) for other in instead]
    threads, workspace = _within(room, [(named(name), task), *others])
    return Choice(task, name, seconds, workspace, threads, tuple((name, seconds) for seconds, _, name in ways[1:]))


def able(task: Task) -> Iterator[Algorithm]:
    """List the algorithms that can compute a task in this process."""
    for algorithm in GROUND:
        if algorithm.accepts(task):
            yield algorithm
    for quick in with_loops():
        if quick.accepts(task) and compiled.has(quick.needs(task)):
            yield quick


def compute(choice: Choice, image: NDArray[Any], threads: int) -> NDArray[Any]:
    """Compute the task as chosen on a C-contiguous `image` (H, W, C) with the task's shape and type."""
    with np.errstate(over="ignore", invalid="ignore"):  # floats may become infinite: the result is looked at
        return named(choice.algorithm).apply(choice.task, image, min(threads, choice.threads))


def _within(room: float, ways: Sequence[tuple[Algorithm, Task]]) -> tuple[int, int]:
    """Count the threads that can share any of these tasks, and the bytes they need together."""
    for threads in THREADS:
        workspace = max(algorithm.workspace(task, threads) for algorithm, task in ways)
        if workspace <= room:
            break
    return threads, workspace
