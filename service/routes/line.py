"""The line between the connection and the routes of a request: both reach it only through the scope."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from starlette.types import Scope

KEY = "convserve.line"


class Line(Protocol):
    """The line to the client of one request; `too_slow` is a sentence that says why its body is no longer awaited."""

    too_slow: str

    def watch(self, gone: Callable[[], None] | None) -> None:
        """Have it called once when the client goes away, or at once where it has gone; None: no more."""

    async def settled(self) -> int | None:
        """Wait until all sent bytes are on their way; None, or the bytes of the body that a lost connection took."""


def line_of(scope: Scope) -> Line | None:
    """Return the line, if the server provides one: `convserve serve` does."""
    found: Line | None = scope.get(KEY)
    return found
