"""The worker processes behind one node of a cluster: jobs come with the time they have left instead of a start."""

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
WAITING = 1024  # the cluster's scheduler sends no more than a few; a refusal here would be an error there
ENDLESS = 86400.0
GRACE = 1.0
KEPT_STOPS = 1024

Outcome = Result | EngineError | DeadlineExceeded | WorkerCrashed | WorkerKilled | Failed
"""What can be sent from a node: a result, or why there is none."""


class NotHere(Exception):
    """The node does no more jobs; another may do this one."""


class Host:
    """A pool of worker processes for jobs that another machine has accepted."""

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
        """Make the processes and wait until they are warm; raises TimeoutError."""
        become_host()
        await self._pool.start()
        async with asyncio.timeout(START_SECONDS):
            while not self._pool.status().ready:
                await asyncio.sleep(GLANCE_SECONDS)

    async def close(self) -> None:
        await self._pool.stop()

    async def perform(self, key: str, job: Job, spent: float, deadline: float) -> Outcome:
        """Do a job of which `spent` seconds were used up elsewhere; raises NotHere.

        Its work is stopped at the deadline even if whoever sent it is no longer there to ask for that.
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
        """Stop the work of a job, which may not have come yet."""
        self._stopped[key] = None
        if len(self._stopped) > KEPT_STOPS:
            self._stopped.popitem(last=False)
        if work := self._work.get(key):
            work.cancel()


def become_host() -> None:
    """Let this process have worker processes.

    A daemonic process, such as Dask's nanny makes, may have no children, because they would outlive it; ours do not
    (worker.py). And the main module, when it is a console script, would be imported by each of them again.
    """
    process = multiprocessing.current_process()
    if process.daemon:
        process.daemon = False
    sys.modules["__main__"].__spec__ = importlib.util.find_spec("service.__main__")


def late(deadline: float) -> DeadlineExceeded:
    """Word the refusal of a job whose time is over, as the pool does."""
    return DeadlineExceeded(f"the job was stopped {deadline:g} s after it had been received (deadline)")


def _stopped() -> DeadlineExceeded:
    return DeadlineExceeded("the job was stopped: nobody waits for it")
