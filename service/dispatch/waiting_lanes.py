"""The jobs that wait for a worker, in order of arrival, and how long they will keep the workers busy."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Generic, TypeVar

from service.dispatch.estimates import Estimates, Kind

W = TypeVar("W")


class Waiter(Generic[W]):
    """A waiting job; `worker` is the future it awaits."""

    __slots__ = ("kind", "seconds", "waits", "worker")

    def __init__(self, kind: Kind, seconds: float, worker: asyncio.Future[W]) -> None:
        self.kind = kind
        self.seconds = seconds
        self.waits = True
        self.worker = worker


class Lane(Generic[W]):
    """A queue of waiters; `seconds` is what one worker would need for all of them."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._waiters: deque[Waiter[W]] = deque()

    def __len__(self) -> int:
        return len(self._waiters)

    def join(self, waiter: Waiter[W]) -> None:
        self._waiters.append(waiter)
        self.seconds += waiter.seconds

    def first(self) -> Waiter[W]:
        """Remove and return the first one; there must be one."""
        waiter = self._waiters.popleft()
        self._forget(waiter)
        return waiter

    def leave(self, waiter: Waiter[W]) -> None:
        """Remove one, wherever it stands, if it still waits."""
        if waiter.waits:
            self._waiters.remove(waiter)
            self._forget(waiter)

    def reckon(self, estimates: Estimates) -> None:
        """Update the estimate of each."""
        for waiter in self._waiters:
            waiter.seconds = estimates.seconds(waiter.kind)
        self.seconds = sum(waiter.seconds for waiter in self._waiters)

    def part(self, jobs: int) -> float:
        """Return the seconds for `jobs` of the waiters, or for all if there are fewer."""
        return self.seconds * min(1.0, jobs / len(self)) if self._waiters else 0.0

    def _forget(self, waiter: Waiter[W]) -> None:
        waiter.waits = False
        self.seconds = self.seconds - waiter.seconds if self._waiters else 0.0  # drops what rounding left
