"""What a node of a cluster does with the jobs that it is sent, without the cluster."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from service.dispatch.errors import DeadlineExceeded, WorkerCrashed, WorkerKilled
from service.dispatch.host import Host, NotHere
from service.dispatch.messages import Failed
from service.engine.errors import InvalidSpec
from service.engine.jobs import Result
from tests.dispatch.tasks import obey, order
from tests.processes import gone
from tests.waiting import until

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def working_host() -> AsyncIterator[Host]:
    host = Host(1, 256 << 20, obey)
    await host.start()
    try:
        yield host
    finally:
        await host.close()


async def test_outcomes_come_as_values() -> None:
    async with working_host() as host:
        assert isinstance(await host.perform("1", order(b"echo"), 0, 20), Result)
        assert isinstance(await host.perform("2", order(b"refuse"), 0, 20), InvalidSpec)
        assert isinstance(await host.perform("3", order(b"stumble"), 0, 20), Failed)
        assert isinstance(await host.perform("4", order(b"crash"), 0, 20), WorkerCrashed)
        killed = await host.perform("5", order(b"kill"), 0, 200)
        assert isinstance(killed, WorkerKilled)
        assert isinstance(pickle.loads(pickle.dumps(killed)), WorkerKilled)


async def test_work_ends_at_the_deadline_though_nobody_asks(tmp_path: Path) -> None:
    note = tmp_path / "note"
    async with working_host() as host:
        outcome = await host.perform("key", order(b"spin " + str(note).encode()), 19, 20)
        assert isinstance(outcome, DeadlineExceeded)
        assert "20 s" in outcome.detail
        await until(lambda: gone(int(note.read_text())))


async def test_work_that_is_given_up_is_stopped(tmp_path: Path) -> None:
    note = tmp_path / "note"
    async with working_host() as host:
        work = asyncio.create_task(host.perform("key", order(b"spin " + str(note).encode()), 0, 20))
        await until(lambda: note.exists() and note.read_text() != "")
        host.stop("key")
        assert isinstance(await work, DeadlineExceeded)
        await until(lambda: gone(int(note.read_text())))


async def test_work_that_is_given_up_before_it_came_is_not_begun(tmp_path: Path) -> None:
    async with working_host() as host:
        host.stop("key")
        assert isinstance(
            await host.perform("key", order(b"spin " + str(tmp_path / "note").encode()), 0, 20), DeadlineExceeded
        )
        assert not (tmp_path / "note").exists()


async def test_closed_host_sends_jobs_elsewhere() -> None:
    async with working_host() as host:
        await host.close()
        with pytest.raises(NotHere):
            await host.perform("key", order(b"echo"), 0, 20)
