"""Which way to compute each step: of those that can, the one of the least predicted time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from service.engine.algorithms import ALGORITHMS
from service.engine.algorithms.base import Task
from service.engine.cores import available_cores

THREADS = available_cores()
"""More than these are not used for one image; the memory is bounded for so many."""

BY_NAME = {algorithm.name: algorithm for algorithm in ALGORITHMS}


@dataclass(frozen=True)
class Choice:
    """One way to compute `task`, its predicted `seconds` on one thread, and the ways that it beat.

    `workspace` bounds the bytes needed beside the input and the output.
    """

    task: Task
    algorithm: str
    seconds: float
    workspace: int
    alternatives: tuple[tuple[str, float], ...] = ()

    def __str__(self) -> str:
        ways = ((self.algorithm, self.seconds), *self.alternatives)
        return ", ".join(f"{name} {seconds * 1e3:.2f} ms" for name, seconds in ways)


def choose(task: Task, only: str | None = None) -> Choice:
    """Choose among the algorithms that accept `task`, or take the one named `only`.

    The predictions are good to about a factor of 1.5 on the machine of rates.py; they are worst for images that take
    less than a tenth of a millisecond.
    """
    named = ALGORITHMS if only is None else (BY_NAME[only],)
    ways = sorted(
        (algorithm.seconds(task), position, algorithm.name)
        for position, algorithm in enumerate(named)
        if algorithm.accepts(task)
    )
    if not ways:
        raise LookupError(f"no algorithm{'' if only is None else f' named {only}'} accepts {task}")
    seconds, _, name = ways[0]
    return Choice(
        task,
        name,
        seconds,
        BY_NAME[name].workspace(task, THREADS),
        tuple((name, seconds) for seconds, _, name in ways[1:]),
    )


def compute(choice: Choice, image: NDArray[Any], threads: int) -> NDArray[Any]:
    """Compute the task as chosen, on a C-contiguous `image` (H, W, C) of the shape and type that the task names."""
    return BY_NAME[choice.algorithm].apply(choice.task, image, min(threads, THREADS))
