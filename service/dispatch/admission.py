"""Who works now, who waits, and who is refused."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from service.dispatch.errors import DeadlineExceeded, DispatchError, QueueFull

W = TypeVar("W")

LIGHT_BYTES = 256 * 1024
LIGHT_IN_A_ROW = 3
SMOOTHING = 0.1
LONGEST_RETRY = 60


class Admission(Generic[W]):
    """Hands out workers in the order of asking, in two lanes: a small body does not wait behind many large ones.

    While both lanes wait, one job in four is taken from the heavy one, so that neither starves. `away` counts the
    workers that are taken out for a moment: as many jobs more may wait meanwhile. `elsewhere` counts the jobs of others
    on the same cores.
    """

    def __init__(self, workers: int, capacity: int, cores: int, elsewhere: Callable[[], int] = lambda: 0) -> None:
        self.capacity = capacity
        self.running = 0
        self.away = 0
        self.workers = workers
        self._cores = cores
        self._elsewhere = elsewhere
        self._idle: list[W] = []
        self._light: deque[asyncio.Future[W]] = deque()
        self._heavy: deque[asyncio.Future[W]] = deque()
        self._light_in_a_row = 0
        self._usual_seconds = 0.1
        self._closed: DispatchError | None = None

    @property
    def waiting(self) -> int:
        return len(self._light) + len(self._heavy)

    @property
    def full(self) -> bool:
        """Tell whether the next job would be refused."""
        return not self._idle and self.waiting >= self.capacity + self.away

    def refusal(self) -> QueueFull:
        """Say what a job is told for which there is no room."""
        return QueueFull(f"{self.waiting} jobs are waiting, of at most {self.capacity} (queue)", self.retry_after)

    async def enter(self, size: int, seconds: float) -> W:
        """Wait for a worker, at most so long; raises QueueFull at once, DeadlineExceeded later."""
        if self._closed:
            raise self._closed
        if seconds <= 0:
            raise DeadlineExceeded("the deadline had passed before the job could wait for a worker")
        if self._idle:  # then nobody waits
            self.running += 1
            return self._idle.pop()
        if self.full:
            raise self.refusal()
        return await self._wait(self._light if size < LIGHT_BYTES else self._heavy, seconds)

    def threads(self) -> int:
        """Share out the cores: all of them to a job that is alone, one to each in a crowd, here and elsewhere."""
        return max(1, self._cores // max(1, self.running + self.waiting + self._elsewhere()))

    def offer(self, worker: W) -> None:
        """Take in a worker that has nothing to do."""
        if waiter := self._next():
            self.running += 1
            waiter.set_result(worker)
        else:
            self._idle.append(worker)

    def leave(self, seconds: float) -> None:
        """End a job, which took so long."""
        self.running -= 1
        self._usual_seconds += SMOOTHING * (seconds - self._usual_seconds)

    @property
    def retry_after(self) -> int:
        """Estimate the seconds until a place is free, from what recent jobs took."""
        seconds = self._usual_seconds * (self.waiting + self.running) / self.workers
        return min(LONGEST_RETRY, max(1, math.ceil(seconds)))

    def close(self, error: DispatchError) -> None:
        """Send everyone away who waits, and whoever comes from now on."""
        self._closed = error
        while waiter := self._next():
            waiter.set_exception(error)

    def take(self, wanted: Callable[[W], bool]) -> W | None:
        """Take out a worker that has nothing to do and is wanted; None where there is none."""
        for place, worker in enumerate(self._idle):
            if wanted(worker):
                return self._idle.pop(place)
        return None

    def take_idle(self) -> list[W]:
        """Take out the workers that have nothing to do."""
        idle, self._idle = self._idle, []
        return idle

    async def _wait(self, lane: deque[asyncio.Future[W]], seconds: float) -> W:
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[W] = loop.create_future()
        late = DeadlineExceeded(f"no worker became free within {seconds:.3g} s, when the deadline passed")
        timer = loop.call_later(seconds, fail, waiter, late)
        lane.append(waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and not waiter.exception():
                self.running -= 1
                self.offer(waiter.result())
            raise
        finally:
            timer.cancel()
            if waiter in lane:  # what `remove` raises otherwise shows the waiter, which takes longer than to look
                lane.remove(waiter)

    def _next(self) -> asyncio.Future[W] | None:
        while self.waiting:
            heavy = not self._light or (bool(self._heavy) and self._light_in_a_row >= LIGHT_IN_A_ROW)
            waiter = (self._heavy if heavy else self._light).popleft()
            if not waiter.done():
                self._light_in_a_row = 0 if heavy else self._light_in_a_row + 1
                return waiter
        return None


def fail(future: asyncio.Future[W], error: DispatchError) -> None:
    """End a wait, unless it has ended."""
    if not future.done():
        future.set_exception(error)
