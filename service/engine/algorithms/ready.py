"""What an algorithm makes ready for a task is kept with the task: the next image of the same form begins at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar
from weakref import WeakKeyDictionary

from service.engine.algorithms.base import Task

KEPT_BYTES = 1 << 19
"""At most, to be kept: wide pictures have long rims, layers many weights, and large kernels spectra."""


class Sized(Protocol):
    @property
    def nbytes(self) -> int: ...


Made = TypeVar("Made", bound=Sized)


def ready(make: Callable[[Task], Made]) -> Callable[[Task], Made]:
    """Keep what `make` makes as long as its task lives, if it is not too large."""
    known: WeakKeyDictionary[Task, Made] = WeakKeyDictionary()

    def made_for(task: Task) -> Made:
        made = known.get(task)
        if made is None:
            made = make(task)
            if made.nbytes <= KEPT_BYTES:
                known[task] = made
        return made

    return made_for
