"""Run jobs on a Dask cluster. No other module knows Dask.

Every Dask worker gets a Host: worker processes that can be killed, like the service's own. Dask takes the job there,
and to another worker if one is lost; the result is the same, byte for byte.
"""

from __future__ import annotations

import asyncio
import logging
import math
import traceback
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from time import perf_counter
from typing import Any
from uuid import uuid4

import dask
import structlog
from distributed import Client, Future, KilledWorker, Reschedule, Worker, WorkerPlugin, get_worker
from distributed.client import ClosedClientError, FutureCancelledError
from distributed.comm.core import connect

from service.dispatch.admission import Admission
from service.dispatch.board import Seat
from service.dispatch.draining import Draining
from service.dispatch.errors import DeadlineExceeded, DispatchError, JobFailed, WorkerCrashed
from service.dispatch.estimates import Took, took
from service.dispatch.host import Host, NotHere, Outcome, late
from service.dispatch.messages import Failed
from service.dispatch.worker import Perform, perform_with_engine
from service.engine.errors import EngineError
from service.engine.jobs import Job, Result

CONNECT_SECONDS = 10.0
GLANCE_SECONDS = 0.25
PAUSE_SECONDS = 0.5
NO_ANSWER = "the Dask scheduler does not answer"
UNFORESEEN = "the job failed in a way that was not foreseen"

log = structlog.get_logger(__name__)


class Unreachable(Exception):
    """No scheduler answers at the address."""


def check(address: str, seconds: float = CONNECT_SECONDS) -> None:
    """Check that a scheduler answers; blocks, and raises Unreachable. May be called while an event loop runs."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, _greet(address, seconds)).result()


async def _greet(address: str, seconds: float) -> None:
    try:
        comm = await connect(address, timeout=seconds)
        await comm.close()
    except (OSError, ValueError):
        raise Unreachable(f"no Dask scheduler answers at {address} within {seconds:g} s") from None


class HostPlugin(WorkerPlugin):
    """Gives each Dask worker, including later ones, a Host with one process for each of its threads.

    It stays registered, because other clients of the cluster may be using it.
    """

    idempotent = True

    def __init__(self, max_memory_bytes: int, perform: Perform) -> None:
        self.version = version("convserve")
        self.name = f"convserve-{self.version}-{max_memory_bytes}-{perform.__name__}"
        self._max_memory_bytes = max_memory_bytes
        self._perform = perform
        self.host: Host | None = None

    async def setup(self, worker: Worker) -> None:
        here = version("convserve")
        if here != self.version:
            raise RuntimeError(f"the Dask worker has convserve {here}, its client {self.version}")
        self.host = Host(worker.state.nthreads, self._max_memory_bytes, self._perform)
        await self.host.start()  # if this fails it keeps trying, and jobs wait for it

    async def teardown(self, worker: Worker) -> None:  # noqa: ARG002
        if self.host:
            await self.host.close()


@dataclass(frozen=True)
class Order:
    """A job that is sent: its Host, and the seconds of its deadline that had passed before."""

    host: str
    key: str
    job: Job
    spent: float
    deadline: float


async def carry_out(order: Order) -> Outcome:
    """Run a job on a Dask worker, in its Host, where the work can be stopped; Dask itself cannot do that."""
    host = _host(get_worker(), order.host)
    if host is None:
        raise RuntimeError(f"this Dask worker has no {order.host}: its log says why")
    try:
        return await host.perform(order.key, order.job, order.spent, order.deadline)
    except NotHere:
        raise Reschedule from None


def give_up(name: str, key: str, dask_worker: Worker) -> None:
    """Stop a job if it is running here; called on every Dask worker."""
    if host := _host(dask_worker, name):
        host.stop(key)


def _host(worker: Worker, name: str) -> Host | None:
    plugin: Any = worker.plugins.get(name)
    return plugin.host if plugin else None


class _Place:
    """The right to have one job on the cluster."""


class Cluster(Draining[_Place]):
    """A Dispatcher over the Dask workers of a scheduler.

    `queue` jobs may wait for each of their threads, none of them behind more than `max_wait` seconds of work.
    `deadline` is in seconds from `Job.received`, and `grace` is what accepted jobs have left when `stop` is called. It
    waits for a lost scheduler to come back, and for the first worker.

    With `ahead` above 1, that many jobs are sent for each thread, so a thread need not wait for its next one. Each has
    the whole deadline, not counting the jobs before it.
    """

    def __init__(
        self,
        address: str,
        queue: int,
        deadline: float,
        grace: float,
        max_memory_bytes: int,
        perform: Perform = perform_with_engine,
        *,
        max_wait: float = math.inf,
        ahead: int = 1,
    ) -> None:
        super().__init__(Admission(1, queue, 1, max_wait=max_wait), grace, Seat.alone())
        self._address = address
        self._queue = queue
        self._deadline = deadline
        self._ahead = ahead
        self._plugin = HostPlugin(max_memory_bytes, perform)
        self._threads: Mapping[str, int] = {}
        self._places = 0
        self._surplus = 0
        self._client: Client | None = None
        self._connected = asyncio.Event()
        self._calls: set[asyncio.Task[Result]] = set()
        self._background: set[asyncio.Task[None]] = set()
        self._watching: asyncio.Task[None] | None = None

    async def start(self) -> None:
        for name in ("distributed", "distributed.client"):
            logging.getLogger(name).setLevel(logging.CRITICAL)  # this module reports their errors, in fewer words
        # The image travels with its job, so the job can be repeated elsewhere.
        dask.config.set({"distributed.admin.large-graph-warning-threshold": "1TiB"})
        self._watching = asyncio.create_task(self._watch())

    async def _do(self, job: Job) -> Result:
        place = await self._admission.enter(job, self._left(job))
        start = perf_counter()
        told: Took | None = None
        try:
            result = await self._bounded(job)
            told = took(result, 1, perf_counter() - start)
            return result
        except (DeadlineExceeded, asyncio.CancelledError):
            told = Took(perf_counter() - start, math.inf)
            raise
        finally:
            self._admission.leave(job, told)
            self._give_back(place)

    def _left(self, job: Job) -> float:
        """Return the seconds until the wait is given up; the Host measures the work itself."""
        return job.received + self._ahead * self._deadline - perf_counter()

    async def _bounded(self, job: Job) -> Result:
        """Run a job until its deadline, or until the grace period is over."""
        call = asyncio.create_task(self._call(job))
        self._calls.add(call)
        try:
            await asyncio.wait({call}, timeout=self._left(job))
            if not call.done():
                raise late(self._deadline)
            if call.cancelled():
                raise self._shutting_down()
            return call.result()
        finally:
            call.cancel()
            self._calls.discard(call)

    async def _call(self, job: Job) -> Result:
        """Send a job to the cluster, and send it again if the scheduler is lost."""
        job = job._replace(body=bytes(job.body))
        while True:
            await self._connected.wait()
            client = self._client
            if client is None:
                continue
            match await self._exchange(client, job):
                case Result() as result:
                    return result
                case Failed(report):
                    raise JobFailed(UNFORESEEN, report)
                case EngineError() | DispatchError() as error:
                    raise error
                case None:
                    await asyncio.sleep(PAUSE_SECONDS)

    async def _exchange(self, client: Client, job: Job) -> Outcome | None:
        """Have a job done; returns None if the connection was lost and its fate is unknown."""
        key = f"convserve-{uuid4().hex}"
        order = Order(self._plugin.name, key, job, perf_counter() - job.received, self._deadline)
        try:
            future = client.submit(carry_out, order, key=key, pure=False)
        except ClosedClientError:
            return None
        try:
            outcome: Outcome = await future
        except asyncio.CancelledError:
            self._begin(self._withdraw(client, future))
            raise
        except (FutureCancelledError, OSError):
            return None
        except KilledWorker:
            return WorkerCrashed("the Dask workers that began this job were all lost; others are not affected")
        except Exception:  # the job could not be read there, for example
            return Failed(traceback.format_exc())
        finally:
            future.release()
        return outcome

    async def _withdraw(self, client: Client, future: Future[Any]) -> None:
        with suppress(Exception):  # the deadline stops what this does not reach
            await client.cancel([future])
            await client.run(give_up, self._plugin.name, future.key, on_error="ignore")

    async def _watch(self) -> None:
        """Keep a connection to the scheduler, and count the places that it offers."""
        while not self._stopping:
            client = Client(
                self._address, asynchronous=True, set_as_default=False, timeout=CONNECT_SECONDS, name="convserve"
            )
            try:
                await client
                await client.register_plugin(self._plugin)
                with self._connection(client):
                    while client.status == "running":
                        self._resize(await client.nthreads())
                        await asyncio.sleep(GLANCE_SECONDS)
            except OSError:
                self._fault = NO_ANSWER
            except Exception as error:  # whatever it is, the service must survive it
                self._fault = "the Dask workers do not start"
                log.exception("cluster_failed", exc_info=error)
            finally:
                await client.close()
            self._resize({})
            await asyncio.sleep(PAUSE_SECONDS)

    @contextmanager
    def _connection(self, client: Client) -> Iterator[None]:
        self._client, self._fault = client, ""
        self._connected.set()
        try:
            yield
        finally:
            self._client, self._fault = None, NO_ANSWER
            self._connected.clear()
            if not self._stopping:
                log.warning("scheduler_lost", address=self._address)

    def _resize(self, threads: Mapping[str, int]) -> None:
        """Adjust the places to the cluster's threads; surplus ones go when their jobs have ended."""
        self._restarts["lost"] += len(self._threads.keys() - threads.keys())
        self._threads = threads
        wanted = self._ahead * sum(threads.values())
        if wanted == self._places:
            return
        idle = self._admission.take_idle()
        self._surplus += self._places - wanted
        self._places = wanted
        self._admission.workers = max(1, wanted)
        self._admission.capacity = self._queue * max(1, wanted)
        idle += [_Place() for _ in range(-self._surplus)]
        self._surplus = max(0, self._surplus)
        for place in idle:
            self._give_back(place)

    def _give_back(self, place: _Place) -> None:
        if self._surplus:
            self._surplus -= 1
        else:
            self._admission.offer(place)

    @property
    def _present(self) -> int:
        return self._places

    @property
    def _manned(self) -> bool:
        return self._places > 0

    def _absence(self) -> str:
        return "" if self._places else self._fault or ("no Dask worker is there" if self._client else "starting")

    def _cut_off(self) -> None:
        for call in tuple(self._calls):
            call.cancel()

    async def _close(self) -> None:
        await asyncio.gather(*self._background)
        if self._watching:
            self._watching.cancel()
            await asyncio.wait({self._watching})

    def _begin(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
