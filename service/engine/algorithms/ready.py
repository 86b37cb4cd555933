"""What an algorithm makes ready for a task is kept with the task: the next image of the same form begins at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol, TypeVar
from weakref import ReferenceType, ref

from service.engine.algorithms.base import Task

KEPT_BYTES = 8 << 20
"""At most, to be kept: layers have many weights, and large kernels spectra."""
SMALL_BYTES = 1 << 19
"""Up to here it is kept whatever else is, such as the long rim of a wide picture; of larger things a few."""
LARGE_ONES = 4


class Sized(Protocol):
    @property
    def nbytes(self) -> int: ...


Made = TypeVar("Made", bound=Sized)


def ready(make: Callable[[Task], Made]) -> Callable[[Task], Made]:
    """Keep what `make` makes as long as its task lives, if it is not too large, nor made way for others."""

    def made_for(task: Task) -> Made:
        made: Made | None = task.made.get(make)  # not in a table of all tasks: it may refer to its own
        if made is None:
            made = make(task)
            size = made.nbytes
            if size <= KEPT_BYTES:
                task.made[make] = made
            if SMALL_BYTES < size <= KEPT_BYTES:
                _make_way(task, make)
        return made

    return made_for


def _make_way(task: Task, make: object) -> None:
    """Forget the large things that were made first; that of `task` is the last."""
    _large.append((ref(task), make))
    while len(_large) > LARGE_ONES:
        reference, maker = _large.popleft()
        first = reference()
        if first is not None:
            first.made.pop(maker, None)


_large: deque[tuple[ReferenceType[Task], object]] = deque()
