"""Decide which jobs run, which wait and which are refused."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from time import perf_counter
from typing import Generic, TypeVar

from service.dispatch.errors import DeadlineExceeded, DispatchError, QueueFull
from service.dispatch.estimates import Estimates, Kind, Took
from service.dispatch.waiting_lanes import Lane, Waiter
from service.engine.jobs import Job

W = TypeVar("W")

LIGHT_BYTES = 256 * 1024
LIGHT_IN_A_ROW = 3
LONGEST_RETRY = 60
RECKONED_APART = 0.1
"""Seconds between two estimates of how long the waiting jobs will take."""


class Admission(Generic[W]):
    """Hands out workers first come, first served, in two lanes, so a small body does not wait behind many large ones.

    While both lanes have jobs, one in four is taken from the heavy lane, so neither starves. A job is refused if it
    would wait behind more than `max_wait` seconds of work or behind `capacity` others. `away` counts the workers that
    are out for a moment; that many more jobs may wait meanwhile. `elsewhere` counts the jobs of other servers on the
    same cores.
    """

    def __init__(
        self,
        workers: int,
        capacity: int,
        cores: int,
        elsewhere: Callable[[], int] = lambda: 0,
        *,
        max_wait: float = math.inf,
    ) -> None:
        self.capacity = capacity
        self.running = 0
        self.away = 0
        self.workers = workers
        self._cores = cores
        self._elsewhere = elsewhere
        self._max_wait = max_wait
        self._idle: list[W] = []
        self._light: Lane[W] = Lane()
        self._heavy: Lane[W] = Lane()
        self._light_in_a_row = 0
        self._estimates = Estimates()
        self._reckoned = -math.inf
        self._closed: DispatchError | None = None

    @property
    def waiting(self) -> int:
        return len(self._light) + len(self._heavy)

    @property
    def expected_wait(self) -> float:
        """How many seconds a job that arrived now would wait, in the slower of the two lanes."""
        return max(self._wait(heavy=False), self._wait(heavy=True))

    @property
    def full(self) -> bool:
        """Tell whether any job that arrived now would be refused."""
        return not self._idle and (self._crowded or self.expected_wait > self._max_wait)

    def refusal(self, size: int) -> QueueFull | None:
        """Return the refusal that a job with a body of `size` bytes would get; None if it would be accepted."""
        if self._idle:  # then no job is waiting
            return None
        if self._crowded:
            told = f"{self.waiting} jobs are waiting, of at most {self.capacity} (queue)"
            running = self._estimates.by_size(size)  # assuming that the running jobs are like this one
            return QueueFull(told, _whole(self.expected_wait + running))
        wait = self._wait(heavy=size >= LIGHT_BYTES)
        if wait > self._max_wait:
            told = f"a job would wait {wait:.3g} s now, and the most is {self._max_wait:g} s (max_wait)"
            return QueueFull(told, _whole(wait - self._max_wait))
        return None

    async def enter(self, job: Job, seconds: float) -> W:
        """Wait up to `seconds` for a worker; raises QueueFull at once, DeadlineExceeded later."""
        if self._closed:
            raise self._closed
        if seconds <= 0:
            raise DeadlineExceeded("the deadline had passed before the job could wait for a worker")
        if self._idle:  # then no job is waiting
            self.running += 1
            return self._idle.pop()
        size = len(job.body)
        if refusal := self.refusal(size):
            raise refusal
        return await self._queue(job, self._light if size < LIGHT_BYTES else self._heavy, seconds)

    def threads(self) -> int:
        """Return the threads for the next job: all cores if it is alone, one if there are many, here and elsewhere."""
        return max(1, self._cores // max(1, self.running + self.waiting + self._elsewhere()))

    def offer(self, worker: W) -> None:
        """Give an idle worker to the next waiting job, or keep it until one comes."""
        if waiter := self._next():
            self.running += 1
            waiter.set_result(worker)
        else:
            self._idle.append(worker)

    def leave(self, job: Job, took: Took | None) -> None:
        """End a job; `took` is what others like it can be expected to take."""
        self.running -= 1
        if took:
            self._estimates.learn(Kind.of(job), took)

    @property
    def retry_after(self) -> int:
        """The seconds until the jobs that wait now are expected to have workers."""
        return _whole(self.expected_wait)

    def close(self, error: DispatchError) -> None:
        """Refuse all waiting jobs, and all that come from now on."""
        self._closed = error
        while waiter := self._next():
            waiter.set_exception(error)

    def take(self, wanted: Callable[[W], bool]) -> W | None:
        """Take out an idle worker that is `wanted`; None if there is none."""
        for place, worker in enumerate(self._idle):
            if wanted(worker):
                return self._idle.pop(place)
        return None

    def take_idle(self) -> list[W]:
        """Take out all idle workers."""
        idle, self._idle = self._idle, []
        return idle

    @property
    def _crowded(self) -> bool:
        return self.waiting >= self.capacity + self.away

    def _wait(self, *, heavy: bool) -> float:
        """Estimate the wait of a new job: behind all of its own lane, and what overtakes it from the other."""
        now = perf_counter()
        if now - self._reckoned > RECKONED_APART:
            self._reckoned = now
            self._light.reckon(self._estimates)
            self._heavy.reckon(self._estimates)
        if heavy:
            before = self._heavy.seconds + self._light.part(LIGHT_IN_A_ROW * (len(self._heavy) + 1))
        else:
            before = self._light.seconds + self._heavy.part(len(self._light) // LIGHT_IN_A_ROW + 1)
        return before / self.workers

    async def _queue(self, job: Job, lane: Lane[W], seconds: float) -> W:
        loop = asyncio.get_running_loop()
        worker: asyncio.Future[W] = loop.create_future()
        timer = loop.call_later(seconds, _fail_late, worker, seconds)
        kind = Kind.of(job)
        waiter = Waiter(kind, self._estimates.seconds(kind), worker)
        lane.join(waiter)
        try:
            return await worker
        except asyncio.CancelledError:
            if worker.done() and not worker.cancelled() and not worker.exception():
                self.running -= 1
                self.offer(worker.result())
            raise
        finally:
            timer.cancel()
            lane.leave(waiter)

    def _next(self) -> asyncio.Future[W] | None:
        while self.waiting:
            heavy = not self._light or (bool(self._heavy) and self._light_in_a_row >= LIGHT_IN_A_ROW)
            worker = (self._heavy if heavy else self._light).first().worker
            if not worker.done():
                self._light_in_a_row = 0 if heavy else self._light_in_a_row + 1
                return worker
        return None


def _whole(seconds: float) -> int:
    return min(LONGEST_RETRY, max(1, math.ceil(seconds)))


def _fail_late(worker: asyncio.Future[W], seconds: float) -> None:
    fail(worker, DeadlineExceeded(f"no worker became free within {seconds:.3g} s, when the deadline passed"))


def fail(future: asyncio.Future[W], error: DispatchError) -> None:
    """Fail a future, unless it is done already."""
    if not future.done():
        future.set_exception(error)
