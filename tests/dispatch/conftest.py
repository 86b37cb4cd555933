from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from service.dispatch.board import Seat
from service.dispatch.worker_pool import WorkerPool
from tests.dispatch.tasks import obey
from tests.waiting import FIRST_START, until

Pools = Callable[..., AbstractAsyncContextManager[WorkerPool]]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def pools() -> Pools:
    return working_pool


@asynccontextmanager
async def working_pool(
    workers: int = 1,
    queue: int = 16,
    deadline: float = 20,
    grace: float = 5,
    jobs_per_worker: int = 1000,
    cores: int | None = None,
    seat: Seat | None = None,
) -> AsyncIterator[WorkerPool]:
    """Give a pool whose workers are warm, and end it afterwards."""
    pool = WorkerPool(
        workers, queue, deadline, grace, 256 << 20, obey, jobs_per_worker=jobs_per_worker, cores=cores, seat=seat
    )
    await pool.start()
    try:
        await until(lambda: pool.status().ready, FIRST_START)
        yield pool
    finally:
        await pool.stop()
