"""The compiled loops of this process. It begins with none, on the ground floor, and loads them from disk.

Nothing here compiles: `python -m service warm` does, in a process of its own. Loops that are not on disk yet, or were
compiled for another level, count as missing, and algorithms that need them are not offered.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from functools import cache
from importlib import import_module
from threading import Lock
from types import ModuleType
from typing import NamedTuple


class Kit(NamedTuple):
    """Loops that are compiled, kept and loaded together.

    `run` calls each loop once with every combination of types that the service uses. `rank` orders the compilation:
    kits of rank 0 serve every answer, 1 most requests, 2 some, 3 few.
    """

    name: str
    rank: int
    run: Callable[[], object]


_loaded: set[str] = set()
_complete = False
_wanted = True
_lock = Lock()


def load(names: Collection[str] | None = None) -> None:
    """Load every kit on disk that is not loaded yet, or only those named; quick when there is nothing new."""
    global _complete  # noqa: PLW0603 -- the state of the process
    with _lock:
        if _complete or not _wanted or not (warming := _warming()):
            return
        wanted = [kit for kit in warming.KITS if names is None or kit.name in names]
        missing = [kit for kit in wanted if kit.name not in _loaded]
        _loaded.update(kit.name for kit in missing if warming.is_kept(kit))
        _complete = len(_loaded) == len(warming.KITS)


def forget() -> None:
    """Go back to the ground floor, for good."""
    global _complete, _wanted  # noqa: PLW0603
    with _lock:
        _loaded.clear()
        _complete = _wanted = False


def has(names: Iterable[str]) -> bool:
    """Say whether all of these kits are loaded."""
    return _complete or _loaded.issuperset(names)


def generation() -> int:
    """Count the loaded kits: a plan made with fewer may no longer be the best."""
    return len(_loaded)


def share() -> float:
    """Return the share of kits that are loaded, from 0 to 1."""
    return len(_loaded) / len(_warming().KITS) if _loaded else 0.0  # type: ignore[union-attr]


def loops(name: str) -> ModuleType | None:
    """Give the module of service.engine.loops that is a kit of the same name, if that is loaded."""
    return _module(name) if name in _loaded else None


@cache
def _module(name: str) -> ModuleType:
    return import_module(f"service.engine.loops.{name}")


def _warming() -> ModuleType | None:
    """Return the module that knows the kits; None if numba cannot be imported."""
    try:
        return import_module("service.engine.algorithms.warming")
    except ImportError:
        return None
