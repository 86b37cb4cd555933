"""The compiled loops that this process uses. Placeholder with the agreed interface; the merge replaces it."""

from __future__ import annotations

from service.engine.warm import PARTS, kept

_loaded: set[int] = set()


def load() -> None:
    """Load every loop that is on disk and not loaded yet; never compiles."""
    for number, part in enumerate(PARTS):
        if number not in _loaded and kept(part):
            _loaded.add(number)


def share() -> float:
    """Give the share of the loops that are loaded in this process, from 0 to 1."""
    return len(_loaded) / len(PARTS)


def forget() -> None:
    """Use none of them."""
    _loaded.clear()
