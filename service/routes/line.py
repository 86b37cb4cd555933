"""What the connection and the routes tell each other of a request: both see it through its scope alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from starlette.types import Scope

KEY = "convserve.line"


class Line(Protocol):
    """The line to the client of one request; `too_slow` says, in a sentence, why no more of its body is waited for."""

    too_slow: str

    def watch(self, gone: Callable[[], None] | None) -> None:
        """Have it called once when the client goes away, or at once where it has gone; None: no more."""

    async def settled(self) -> int | None:
        """Wait until all that was sent is on its way; None, or the bytes of the body that a lost connection took."""


def line_of(scope: Scope) -> Line | None:
    """Give the line, where the server has one: the command `convserve serve` does."""
    found: Line | None = scope.get(KEY)
    return found
