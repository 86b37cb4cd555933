"""The worker processes of one cluster node. Jobs come with the time they have left, as clocks differ."""

from __future__ import annotations

import asyncio
import importlib.util
import multiprocessing
import sys
from collections import OrderedDict
from time import perf_counter

from service.dispatch.errors import DeadlineExceeded, JobFailed, Refused, WorkerCrashed, WorkerKilled
from service.dispatch.messages import Failed
from service.dispatch.worker import Perform
from service.dispatch.worker_pool import WorkerPool
from service.engine.errors import EngineError
from service.engine.jobs import Job, Result
from service.engine.machine import levels

START_SECONDS = 300.0
GLANCE_SECONDS = 0.02
WAITING = 1024  # the scheduler sends only a few at once; a refusal here would be an error there
ENDLESS = 86400.0
GRACE = 1.0
KEPT_STOPS = 1024

Outcome = Result | EngineError | DeadlineExceeded | WorkerCrashed | WorkerKilled | Failed
"""What a node sends back: a result, or why there is none."""


class NotHere(Exception):
    """The node takes no more jobs; another may."""


class Host:
    """A pool of worker processes for jobs accepted by another machine."""

    def __init__(self, workers: int, max_memory_bytes: int, perform: Perform) -> None:
        self._pool = WorkerPool(
            workers,
            WAITING,
            ENDLESS,
            GRACE,
            max_memory_bytes,
            perform,
            cores=workers,
            compile_when="background",
            level=levels.use(None),
        )
        self._work: dict[str, asyncio.Task[Result]] = {}
        self._stopped: OrderedDict[str, None] = OrderedDict()

    async def start(self) -> None:
        """Start the processes and wait until they are warm; raises TimeoutError."""
        become_host()
        await self._pool.start()
        async with asyncio.timeout(START_SECONDS):
            while not self._pool.status().ready:
                await asyncio.sleep(GLANCE_SECONDS)

    async def close(self) -> None:
        await self._pool.stop()

    async def perform(self, key: str, job: Job, spent: float, deadline: float) -> Outcome:
        """Run a job that has already used `spent` seconds elsewhere; raises NotHere.

        It is stopped at the deadline even if its sender is gone.
        """
        if key in self._stopped:
            return _stopped()
        here = job._replace(received=perf_counter() - spent)
        work = asyncio.create_task(self._pool.run(here))
        self._work[key] = work
        try:
            await asyncio.wait({work}, timeout=deadline - spent)
            if work.done():
                return _stopped() if work.cancelled() else work.result()
            return late(deadline)
        except (EngineError, WorkerCrashed, WorkerKilled) as error:
            return error
        except JobFailed as error:
            return Failed(error.report)
        except Refused as error:
            raise NotHere(error.detail) from None
        finally:
            work.cancel()
            del self._work[key]

    def stop(self, key: str) -> None:
        """Stop a job, even one that has not arrived yet."""
        self._stopped[key] = None
        if len(self._stopped) > KEPT_STOPS:
            self._stopped.popitem(last=False)
        if work := self._work.get(key):
            work.cancel()


def become_host() -> None:
    """Allow this process to have worker processes.

    Python forbids children to a daemonic process, such as Dask's nanny starts, because they would outlive it; ours do
    not (worker.py). And each of them would import the main module again if that is a console script.
    """
    process = multiprocessing.current_process()
    if process.daemon:
        process.daemon = False
    sys.modules["__main__"].__spec__ = importlib.util.find_spec("service.__main__")


def late(deadline: float) -> DeadlineExceeded:
    """Word the refusal of a job whose time is up, as the pool does."""
    return DeadlineExceeded(f"the job was stopped {deadline:g} s after it had been received (deadline)")


def _stopped() -> DeadlineExceeded:
    return DeadlineExceeded("the job was stopped: nobody waits for it")
