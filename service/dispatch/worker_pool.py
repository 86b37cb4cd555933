"""Run jobs in worker processes on this machine, which can be killed."""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import Callable, Coroutine
from contextlib import suppress
from time import perf_counter

import structlog

from service.dispatch import Engine, Progress
from service.dispatch.admission import Admission, fail
from service.dispatch.board import Seat
from service.dispatch.compiling import Compile, Compiling
from service.dispatch.draining import Draining
from service.dispatch.errors import (
    DeadlineExceeded,
    JobFailed,
    NeverBegun,
    WorkerKilled,
)
from service.dispatch.estimates import Took, took
from service.dispatch.messages import NEWS, Done, Failed, Loaded, Reply
from service.dispatch.process import NotStarted, WorkerProcess
from service.dispatch.worker import Perform, perform_with_engine
from service.engine.errors import EngineError
from service.engine.jobs import Job, Result
from service.engine.machine.cores import available_cores
from service.memory_budget import kept_of_jobs

JOBS_PER_WORKER = 10_000
TRIES = 5
"""How often a job is tried if its worker is killed from outside, as by the kernel when memory is short."""
KILLED_PAUSE = 0.05
"""Seconds before the second try, doubled before each further one, so jobs do not meet again."""
LONGEST_PAUSE = 2.0
LAST_SECONDS = 1.0
"""Seconds for killed processes to end."""

log = structlog.get_logger(__name__)


class WorkerPool(Draining[WorkerProcess]):
    """A Dispatcher over `workers` processes, with at most `queue` jobs waiting for each.

    None may wait behind more than `max_wait` seconds of work. `deadline` is in seconds from `Job.received`; `grace` is
    what accepted jobs have left when `stop` is called. `cores`, by default all of the machine, are shared out among the
    jobs, including those of other servers on the board of `seat`. `compile_when` says whether loops are compiled and
    used; `compiling` makes what compiles them, for the processor `level`. With "before", workers are ready when all
    loops are.
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
        max_wait: float = math.inf,
        jobs_per_worker: int = JOBS_PER_WORKER,
        bytes_per_worker: int | None = None,
        cores: int | None = None,
        compile_when: Compile = "off",
        compiling: Callable[[Callable[[], None]], Compiling] = Compiling,
        level: str | None = None,
        seat: Seat | None = None,
    ) -> None:
        self._cores = cores or available_cores()
        seat = seat or Seat.alone()
        admission = Admission[WorkerProcess](
            workers, queue * workers, self._cores, seat.jobs_elsewhere, max_wait=max_wait
        )
        super().__init__(admission, grace, seat)
        self._workers = workers
        self._deadline = deadline
        self._memory = max_memory_bytes
        self._perform = perform
        self._jobs_per_worker = jobs_per_worker
        self._bytes_per_worker = kept_of_jobs(max_memory_bytes) if bytes_per_worker is None else bytes_per_worker
        self._compile_when = compile_when
        self._compiling = compiling(self._spread)
        self._level = level
        self._crew: set[WorkerProcess] = set()
        self._warm = False
        self._told: set[str] = set()
        self._unloaded = ""
        self._starts: set[asyncio.Task[None]] = set()
        self._changes: set[asyncio.Task[None]] = set()
        self._calls: set[asyncio.Future[Reply]] = set()

    async def start(self) -> None:
        for _ in range(self._workers):
            self._begin(self._raise_worker(), self._starts)

    async def _do(self, job: Job) -> Result:
        """Run a job, and try again if its worker died through no fault of the job; the deadline bounds it all."""
        tries = 0
        while True:
            try:
                return await self._run(job)
            except NeverBegun:
                pass
            except WorkerKilled as killed:
                tries += 1
                if tries == TRIES:
                    raise WorkerKilled(f"{killed.detail} ({tries} times)", self._admission.retry_after) from None
                await asyncio.sleep(KILLED_PAUSE * 2**tries)

    async def _run(self, job: Job) -> Result:
        """Run the job in the next free worker, and afterwards free that worker or replace it."""
        worker = await self._admission.enter(job, job.received + self._deadline - perf_counter())
        start = perf_counter()
        reason: str | None = "crashed"
        told: Took | None = None
        try:
            result, threads = await self._call(worker, job)
            reason, told = None, took(result, threads, perf_counter() - start)
        except (EngineError, JobFailed):
            reason, told = None, Took(0, perf_counter() - start)
            raise
        except DeadlineExceeded:
            reason, told = "deadline", Took(perf_counter() - start, math.inf)
            raise
        except WorkerKilled:
            reason = "killed"
            raise
        except asyncio.CancelledError:
            reason, told = "cancelled", Took(perf_counter() - start, math.inf)
            raise
        finally:
            self._admission.leave(job, told)
            worker.jobs += 1
            reason = reason or self._age(worker)
            if reason:
                self._replace(worker, reason)
            else:
                worker.mailbox.clear()
                self._free(worker)
        return result

    async def _call(self, worker: WorkerProcess, job: Job) -> tuple[Result, int]:
        """Return the result, and the number of threads that made it."""
        loop = asyncio.get_running_loop()
        call: asyncio.Future[Reply] = loop.create_future()
        left = job.received + self._deadline - perf_counter()
        timer = loop.call_later(left, self._stop_late, call)
        self._calls.add(call)
        try:
            body = await worker.mailbox.send(job.body)
            threads = self._admission.threads()
            worker.ask(job, body, threads, call)
            match await call:
                case Done(result, parcel):
                    return result._replace(body=worker.mailbox.receive(parcel)), threads
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

    def _stop_late(self, call: asyncio.Future[Reply]) -> None:
        stopped = f"the job was stopped {self._deadline:g} s after it had been received (deadline)"
        fail(call, DeadlineExceeded(stopped))

    def _age(self, worker: WorkerProcess) -> str | None:
        """Say why a healthy worker should be replaced; None if it should not."""
        if worker.jobs >= self._jobs_per_worker:
            return "recycled"
        return "memory" if worker.kept_bytes() > self._bytes_per_worker else None

    def _replace(self, worker: WorkerProcess, reason: str) -> None:
        self._crew.discard(worker)
        self._begin(worker.close(), self._changes)
        if not self._closing:  # jobs accepted before the end still need a worker
            self._restarts[reason] += 1
            self._begin(self._raise_worker(), self._starts)

    def _begin(self, change: Coroutine[None, None, None], changes: set[asyncio.Task[None]]) -> None:
        task = asyncio.create_task(change)
        changes.add(task)
        task.add_done_callback(changes.discard)

    async def _raise_worker(self) -> None:
        """Start a worker, however many tries it takes."""
        pause = 0.1
        compiled = self._compile_when != "off"
        while not self._closing:
            worker = WorkerProcess()
            worker.parts = self._compiling.done
            try:
                loaded = await worker.start(self._perform, self._memory, self._cores, compiled=compiled)
            except Exception as error:  # whatever it is, the service must survive it
                self._begin(worker.close(), self._changes)
                self._tell_fault(error)
                await asyncio.sleep(pause)
                pause = min(LONGEST_PAUSE, 2 * pause)
            except asyncio.CancelledError:
                self._begin(worker.close(), self._changes)
                raise
            else:
                self._take_in(worker, loaded)
                return

    def _take_in(self, worker: WorkerProcess, loaded: Loaded) -> None:
        self._fault = ""
        self._told.clear()
        self._crew.add(worker)
        self._warm = self._warm or len(self._crew) == self._workers
        self._tell_unloaded(loaded)
        if self._compile_when == "off" or loaded.compiled >= 1:
            self._compiling.spare()
        else:
            self._compiling.begin()  # not earlier: it would delay the first worker
        self._free(worker)

    def _free(self, worker: WorkerProcess) -> None:
        """Give an idle worker a job, or the loops compiled since it last looked."""
        if worker.parts < self._compiling.done and not self._closing:
            self._begin(self._update(worker), self._changes)
        else:
            self._admission.offer(worker)

    def _spread(self) -> None:
        """Have new loops loaded: by the fork server, for later workers, and by idle workers."""
        for fork_server in {worker.parent for worker in self._crew} - {0, 1}:
            with suppress(ProcessLookupError):
                os.kill(fork_server, NEWS)
        self._update_idle()

    def _update_idle(self) -> None:
        """Have one idle worker load what is new, and after it the next; the others can take jobs meanwhile."""
        if not self._closing and not self._admission.away and (worker := self._admission.take(self._lags)):
            self._begin(self._update(worker), self._changes)

    def _lags(self, worker: WorkerProcess) -> bool:
        return worker.parts < self._compiling.done

    async def _update(self, worker: WorkerProcess) -> None:
        parts = self._compiling.done
        self._admission.away += 1
        try:
            loaded = await worker.load()
        except EOFError:
            self._replace(worker, "crashed")
            return
        finally:
            self._admission.away -= 1
            self._update_idle()
        worker.parts = parts
        self._tell_unloaded(loaded)
        self._free(worker)

    def _tell_fault(self, error: Exception) -> None:
        """Log why a worker does not start, once, until one does."""
        self._fault = f"workers do not start: {error}; the log says more"
        if not isinstance(error, NotStarted):
            self._fault = "workers do not start; the log says why"
        if self._fault not in self._told:
            self._told.add(self._fault)
            report = error.report if isinstance(error, NotStarted) else ""
            log.error("worker_start_failed", reason=str(error), report=report, exc_info=None if report else error)

    def _tell_unloaded(self, loaded: Loaded) -> None:
        if loaded.report and loaded.report != self._unloaded:
            self._unloaded = loaded.report
            log.error("loops_not_loaded", report=loaded.report)

    @property
    def _present(self) -> int:
        return len(self._crew)

    @property
    def _manned(self) -> bool:
        return self._warm

    def _engine(self) -> Engine:
        return Engine(self._level, min((worker.compiled for worker in self._crew), default=0.0))

    def _progress(self) -> Progress | None:
        return self._compiling.so_far

    def _absence(self) -> str:
        if not self._warm or (self._fault and not self._crew):
            return self._fault or "starting"
        return self._uncompiled() if self._compile_when == "before" else ""

    def _uncompiled(self) -> str:
        """Say which loops are still missing; empty if none is."""
        compiling = self._compiling
        if compiling.failed:
            return "the loops cannot be compiled; the log says why"
        loaded = min((worker.parts for worker in self._crew), default=0)
        if compiling.finished and loaded >= compiling.done:
            return ""
        return f"compiling the loops: {loaded} of {compiling.parts}" if compiling.parts else "compiling the loops"

    def _cut_off(self) -> None:
        for call in tuple(self._calls):
            fail(call, self._shutting_down())

    async def _close(self) -> None:
        """End all processes, without waiting for those that are still starting, which may take long."""
        await self._compiling.stop()
        for task in tuple(self._starts):
            task.cancel()
        self._admission.take_idle()
        for worker in self._crew:
            self._begin(worker.close(), self._changes)
        self._crew.clear()
        if self._starts:
            await asyncio.wait(self._starts)
        if self._changes:
            await asyncio.wait(self._changes, timeout=LAST_SECONDS)
