"""Keep what an algorithm prepares for a task with the task, so the next image of the same form starts at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol, TypeVar
from weakref import ReferenceType, ref

from service.engine.algorithms.base import Task

KEPT_BYTES = 8 << 20
"""Most bytes kept: layers have many weights, and large kernels have spectra."""
SMALL_BYTES = 1 << 19
"""Up to this size a preparation, such as the long rim of a wide picture, is always kept; only a few larger ones are."""
LARGE_ONES = 4


class Sized(Protocol):
    @property
    def nbytes(self) -> int: ...


Made = TypeVar("Made", bound=Sized)


def ready(make: Callable[[Task], Made]) -> Callable[[Task], Made]:
    """Keep the result of `make` as long as its task lives, unless it is too large or makes way for others."""

    def made_for(task: Task) -> Made:
        made: Made | None = task.made.get(make)  # not in a table of all tasks: `made` may refer to its own task
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
    """Forget the oldest large preparations; that of `task` is the newest."""
    _large.append((ref(task), make))
    while len(_large) > LARGE_ONES:
        reference, maker = _large.popleft()
        first = reference()
        if first is not None:
            first.made.pop(maker, None)


_large: deque[tuple[ReferenceType[Task], object]] = deque()
