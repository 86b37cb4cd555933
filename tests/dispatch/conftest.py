from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from service.dispatch.pool import WorkerPool
from tests.dispatch.tasks import obey

Pools = Callable[..., AbstractAsyncContextManager[WorkerPool]]
PATIENCE = 20.0
FIRST_START = 300.0


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def until(condition: Callable[[], bool], patience: float = PATIENCE) -> None:
    """Wait for something that is about to become true."""
    end = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < end, "it did not become true"
        await asyncio.sleep(0.005)


@pytest.fixture
def pools() -> Pools:
    return working_pool


@asynccontextmanager
async def working_pool(
    workers: int = 1, queue: int = 16, deadline: float = 20, grace: float = 5, jobs_per_worker: int = 1000
) -> AsyncIterator[WorkerPool]:
    """Give a pool whose workers are warm, and end it afterwards."""
    pool = WorkerPool(workers, queue, deadline, grace, 256 << 20, obey, jobs_per_worker=jobs_per_worker)
    await pool.start()
    try:
        await until(lambda: pool.status().ready, FIRST_START)
        yield pool
    finally:
        await pool.stop()
