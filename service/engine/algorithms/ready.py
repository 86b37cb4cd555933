"""What an algorithm makes ready for a task is kept with the task: the next image of the same form begins at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from service.engine.algorithms.base import Task

KEPT_BYTES = 1 << 19
"""At most, to be kept: wide pictures have long rims, layers many weights, and large kernels spectra."""


class Sized(Protocol):
    @property
    def nbytes(self) -> int: ...


Made = TypeVar("Made", bound=Sized)


def ready(make: Callable[[Task], Made]) -> Callable[[Task], Made]:
    """Keep what `make` makes with the task, if it is not too large."""
    name = f"{make.__module__}.{make.__qualname__}"

    def made_for(task: Task) -> Made:
        made: Made | None = vars(task).get(name)
        if made is None:
            made = make(task)
            if made.nbytes <= KEPT_BYTES:
                vars(task)[name] = made
        return made

    return made_for
