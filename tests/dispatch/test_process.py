"""One worker process and its socket, on both event loops that the service may run on."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import uvloop

from service.dispatch.errors import NeverBegun, WorkerCrashed, WorkerKilled
from service.dispatch.messages import Done, Reply
from service.dispatch.payloads import SMALL
from service.dispatch.process import WorkerProcess
from tests.dispatch.tasks import obey, order
from tests.waiting import until

Run = Callable[[Coroutine[Any, Any, None]], None]


@pytest.fixture(params=[asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    loop: Run = request.param
    return loop


async def started() -> WorkerProcess:
    worker = WorkerProcess()
    await worker.start(obey, 256 << 20, 1)
    return worker


def asked(worker: WorkerProcess, body: bytes) -> asyncio.Future[Reply]:
    reply: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
    worker.ask(order(body), body, 1, reply)
    return reply


async def noted(note: Path) -> int:
    """Wait for the process that spins to say which it is."""
    await until(lambda: note.exists() and note.read_text() != "")
    return int(note.read_text())


async def pid_of(worker: WorkerProcess) -> int:
    reply = await asked(worker, b"pid")
    assert isinstance(reply, Done)
    assert isinstance(reply.body, bytes)
    return int(reply.body)


def test_messages_of_any_size_come_back(run: Run) -> None:
    async def main() -> None:
        worker = await started()
        for size in (0, 1, SMALL, 3_000_000):
            body = os.urandom(size)
            reply = await asked(worker, b"echo" + body)
            assert isinstance(reply, Done)
            assert worker.mailbox.receive(reply.body) == b"echo" + body
        await worker.close()

    run(main())


def test_job_that_nobody_read_was_never_begun(run: Run) -> None:
    async def main() -> None:
        worker = await started()
        pid = await pid_of(worker)
        os.kill(pid, signal.SIGSTOP)
        reply = asked(worker, b"echo")
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(NeverBegun):
            await reply
        with pytest.raises(NeverBegun):
            await asked(worker, b"echo")
        await worker.close()

    run(main())


def test_death_is_told_from_murder(run: Run, tmp_path: Path) -> None:
    async def main() -> None:
        for word, kind in ((b"exit", WorkerCrashed), (b"crash", WorkerCrashed), (b"spin", WorkerKilled)):
            worker = await started()
            note = tmp_path / "pid"
            reply = asked(worker, word + b" " + bytes(note))
            if word == b"spin":
                os.kill(await noted(note), signal.SIGKILL)
            with pytest.raises(EOFError):
                await reply
            assert type(await worker.death()) is kind
            await worker.close()
            note.unlink(missing_ok=True)

    run(main())


def test_close_ends_a_loop_and_what_never_started(run: Run, tmp_path: Path) -> None:
    async def main() -> None:
        await WorkerProcess().close()
        worker = await started()
        note = tmp_path / "pid"
        reply = asked(worker, b"spin " + bytes(note))
        pid = await noted(note)
        await worker.close()
        with pytest.raises(EOFError):
            await reply
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
        note.unlink()

    run(main())


def test_end_that_nobody_waits_for_is_no_error(run: Run) -> None:
    """A start that was called off is not there to take the reply that never comes."""
    told: list[dict[str, Any]] = []

    async def end() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, about: told.append(about))
        WorkerProcess().connection_lost(None)
        gc.collect()

    run(end())
    assert not told
