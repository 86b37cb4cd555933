"""What all dispatchers share: they count accepted jobs, report their state, and stop in good order."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import Counter
from time import perf_counter
from typing import Generic, TypeVar

from service.dispatch import Engine, Progress, Status
from service.dispatch.admission import Admission
from service.dispatch.board import Seat
from service.dispatch.errors import Refused, ShuttingDown
from service.engine.jobs import Job, Result

Place = TypeVar("Place")


class Draining(ABC, Generic[Place]):
    """A Dispatcher that gives accepted jobs `grace` seconds when `stop` is called, then cuts them off.

    It writes their number at its `seat`, where the other servers see it.
    """

    def __init__(self, admission: Admission[Place], grace: float, seat: Seat) -> None:
        self._admission = admission
        self._seat = seat
        self._grace = grace
        self._restarts: Counter[str] = Counter()
        self._fault = ""
        self._accepted = 0
        self._stopping: asyncio.Task[None] | None = None
        self._closing = False

    @property
    @abstractmethod
    def _present(self) -> int:
        """The number of workers."""

    @property
    @abstractmethod
    def _manned(self) -> bool:
        """Whether there are workers for a full queue, so it is worth trying again."""

    @abstractmethod
    def _absence(self) -> str:
        """Say why no worker can take a job; empty if one can."""

    def _engine(self) -> Engine | None:
        """Say what the workers compute with, if known."""
        return None

    def _progress(self) -> Progress | None:
        """Say how far the compiling is, if known."""
        return None

    @abstractmethod
    async def _do(self, job: Job) -> Result:
        """Run an accepted job."""

    @abstractmethod
    def _cut_off(self) -> None:
        """Stop the running jobs."""

    @abstractmethod
    async def _close(self) -> None:
        """Release the workers, once no job is left."""

    async def run(self, job: Job) -> Result:
        if self._stopping:
            raise self._shutting_down()
        self._count(1)
        try:
            return await self._do(job)
        finally:
            self._count(-1)

    def _count(self, change: int) -> None:
        self._accepted += change
        self._seat.row.jobs = self._accepted

    async def stop(self) -> None:
        if self._stopping is None:
            self._stopping = asyncio.create_task(self._stop())
        await asyncio.shield(self._stopping)

    def refusal(self, size: int) -> Refused | None:
        if self._stopping:
            return self._shutting_down()
        return self._admission.refusal(size) if self._manned else None

    def status(self) -> Status:
        reason = self._hindrance()
        return Status(
            ready=not reason,
            reason=reason,
            workers=self._present,
            running=self._admission.running,
            queued=self._admission.waiting,
            capacity=self._admission.capacity,
            expected_wait=self._admission.expected_wait,
            restarts=dict(self._restarts),
            engine=self._engine(),
            progress=self._progress(),
            draining=self._stopping is not None,
        )

    async def _stop(self) -> None:
        end = perf_counter() + self._grace
        while self._accepted and perf_counter() < end:
            await asyncio.sleep(0.01)
        self._closing = True
        self._admission.close(self._shutting_down())
        self._cut_off()
        while self._accepted:
            await asyncio.sleep(0.01)
        await self._close()

    def _shutting_down(self) -> ShuttingDown:
        return ShuttingDown("the service is shutting down", max(1, round(self._grace)))

    def _hindrance(self) -> str:
        """Say why no job should be sent now; empty if one may be."""
        if self._stopping:
            return "draining"
        return self._absence() or ("the queue is full" if self._admission.full else "")
