"""Jobs in worker processes of this machine, which can be killed."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from time import perf_counter

import structlog

from service.cores import available_cores
from service.dispatch.admission import Admission, fail
from service.dispatch.draining import Draining
from service.dispatch.errors import (
    DeadlineExceeded,
    JobFailed,
    NeverBegun,
    WorkerKilled,
)
from service.dispatch.messages import Done, Failed, Reply
from service.dispatch.process import WorkerProcess
from service.dispatch.worker import Perform, perform_with_engine
from service.engine.errors import EngineError
from service.engine.jobs import Job, Result

JOBS_PER_WORKER = 10_000
BYTES_PER_WORKER = 256 << 20
"""Memory that a worker may have kept of its jobs before another takes its place."""
TRIES = 5
"""How often a job is begun whose worker is killed from outside, as by the kernel where memory is short."""
LONGEST_PAUSE = 2.0

log = structlog.get_logger(__name__)


class WorkerPool(Draining[WorkerProcess]):
    """A Dispatcher over `workers` processes, with at most `queue` jobs waiting for each.

    `deadline` is in seconds from `Job.received`; `grace` is what accepted jobs have left when `stop` is called. `cores`
    are shared out among the jobs: those of the machine unless given.
    """

    def __init__(
        self,
        workers: int,
        queue: int,
        deadline: float,
        grace: float,
        max_memory_bytes: int,
        perform: Perform = perform_with_engine,
        *,
        jobs_per_worker: int = JOBS_PER_WORKER,
        bytes_per_worker: int = BYTES_PER_WORKER,
        cores: int | None = None,
    ) -> None:
        self._cores = cores or available_cores()
        super().__init__(Admission(workers, queue * workers, self._cores), grace)
        self._workers = workers
        self._deadline = deadline
        self._memory = max_memory_bytes
        self._perform = perform
        self._jobs_per_worker = jobs_per_worker
        self._bytes_per_worker = bytes_per_worker
        self._alive = 0
        self._warm = False
        self._changes: set[asyncio.Task[None]] = set()
        self._calls: set[asyncio.Future[Reply]] = set()

    async def start(self) -> None:
        for _ in range(self._workers):
            self._begin(self._raise_worker())

    async def _do(self, job: Job) -> Result:
        """Begin again where a worker died and the job is not to blame; the deadline bounds it all."""
        tries = 0
        while True:
            try:
                return await self._run(job)
            except NeverBegun:
                pass
            except WorkerKilled:
                tries += 1
                if tries == TRIES:
                    raise

    async def _run(self, job: Job) -> Result:
        """Do the job in the next worker that is free, and see to it that the worker can be used again, or is not."""
        worker = await self._admission.enter(len(job.body), job.received + self._deadline - perf_counter())
        start = perf_counter()
        reason: str | None = "crashed"
        try:
            result = await self._call(worker, job)
            reason = None
        except (EngineError, JobFailed):
            reason = None
            raise
        except DeadlineExceeded:
            reason = "deadline"
            raise
        except asyncio.CancelledError:
            reason = "cancelled"
            raise
        finally:
            self._admission.leave(perf_counter() - start)
            worker.jobs += 1
            reason = reason or self._age(worker)
            if reason:
                self._replace(worker, reason)
            else:
                worker.mailbox.clear()
                self._admission.offer(worker)
        return result

    async def _call(self, worker: WorkerProcess, job: Job) -> Result:
        loop = asyncio.get_running_loop()
        call: asyncio.Future[Reply] = loop.create_future()
        left = job.received + self._deadline - perf_counter()
        late = DeadlineExceeded(f"the job was stopped {self._deadline:g} s after it had been received (deadline)")
        timer = loop.call_later(left, fail, call, late)
        self._calls.add(call)
        try:
            body = await worker.mailbox.send(job.body)
            worker.ask(job, body, self._admission.threads(), call)
            match await call:
                case Done(result, parcel):
                    return result._replace(body=worker.mailbox.receive(parcel))
                case Failed(report):
                    raise JobFailed("the job failed in a way that was not foreseen", report)
                case error:
                    raise error
        except EOFError:
            raise await worker.death() from None
        finally:
            timer.cancel()
            call.cancel()
            self._calls.discard(call)

    def _age(self, worker: WorkerProcess) -> str | None:
        """Say why a worker that is well should make way for another."""
        if worker.jobs >= self._jobs_per_worker:
            return "recycled"
        return "memory" if worker.kept_bytes() > self._bytes_per_worker else None

    def _replace(self, worker: WorkerProcess, reason: str) -> None:
        self._alive -= 1
        self._begin(worker.close())
        if not self._stopping:
            self._restarts[reason] += 1
            self._begin(self._raise_worker())

    def _begin(self, change: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(change)
        self._changes.add(task)
        task.add_done_callback(self._changes.discard)

    async def _raise_worker(self) -> None:
        """Make a worker, however often it takes."""
        pause = 0.1
        while not self._stopping:
            worker = WorkerProcess()
            try:
                await worker.start(self._perform, self._memory, self._cores)
            except Exception as error:  # whatever hinders it, the service must outlive it
                self._begin(worker.close())
                self._fault = "workers do not start"
                log.exception("worker_start_failed", exc_info=error)
                await asyncio.sleep(pause)
                pause = min(LONGEST_PAUSE, 2 * pause)
                continue
            self._fault = ""
            self._alive += 1
            self._warm = self._warm or self._alive == self._workers
            self._admission.offer(worker)
            return

    @property
    def _present(self) -> int:
        return self._alive

    @property
    def _manned(self) -> bool:
        return self._warm

    def _absence(self) -> str:
        return "" if self._warm and (self._alive or not self._fault) else self._fault or "starting"

    def _cut_off(self) -> None:
        for call in tuple(self._calls):
            fail(call, self._shutting_down())

    async def _close(self) -> None:
        await self._settled()
        idle = self._admission.take_idle()
        self._alive -= len(idle)
        for worker in idle:
            self._begin(worker.close())
        await self._settled()

    async def _settled(self) -> None:
        """Wait until no worker is being started or ended."""
        while self._changes:
            await asyncio.sleep(0.01)
