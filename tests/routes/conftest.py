"""The service in this process: the real engine in a thread, behind a dispatcher that can be told to refuse."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import httpx
import pytest
import structlog
from starlette.responses import StreamingResponse

from service.app import create_app
from service.dispatch import Status
from service.dispatch.errors import Refused
from service.engine.jobs import Job, Result
from service.engine.jobs.pipeline import perform
from service.settings import Settings


class InProcess:
    """A Dispatcher without processes; `error` is raised instead of working, `hold` makes every job wait."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.hold: asyncio.Event | None = None
        self.status_now = Status(
            ready=True, reason="", workers=1, running=0, queued=0, capacity=16, restarts={"crashed": 2}
        )
        self.jobs: list[Job] = []
        self.cancelled = 0
        self.started = self.stopped = False

    async def start(self) -> None:
        self.started = True

    async def stop(self) -> None:
        self.stopped = True

    async def run(self, job: Job) -> Result:
        self.jobs.append(job)
        if self.error:
            raise self.error
        if self.hold:
            try:
                await self.hold.wait()
            except asyncio.CancelledError:
                self.cancelled += 1
                raise
        return await asyncio.to_thread(perform, job, 1)

    def refusal(self, size: int) -> Refused | None:
        return None

    def status(self) -> Status:
        return self.status_now


class Serve(Protocol):
    def __call__(self, **settings: Any) -> AbstractAsyncContextManager[httpx.AsyncClient]: ...


@pytest.fixture
def dispatcher() -> InProcess:
    return InProcess()


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the settings of the machine out: neither its variables nor a `.env` beside the project."""
    for name in list(os.environ):
        if name.upper().startswith("CONVSERVE_") or name.upper() == "PORT":
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def _plain_log() -> Iterator[None]:
    """Log plainly: a structlog that nobody configured draws tracebacks with all their variables, for seconds."""
    structlog.configure(processors=[structlog.processors.format_exc_info, structlog.processors.KeyValueRenderer()])
    yield
    structlog.reset_defaults()


async def broken() -> None:
    raise RuntimeError("/secret/path at 0x7f0000000000")


async def half() -> StreamingResponse:
    """Break in the middle of an answer."""

    async def body() -> AsyncIterator[bytes]:
        yield b"half"
        raise RuntimeError("secret")

    return StreamingResponse(body())


@pytest.fixture
def serve(dispatcher: InProcess) -> Serve:
    """Serve with the given settings."""

    @asynccontextmanager
    async def served(**settings: Any) -> AsyncIterator[httpx.AsyncClient]:
        app = create_app(Settings.load(**settings), dispatcher)
        app.add_api_route("/broken", broken, include_in_schema=False)
        app.add_api_route("/half", half, include_in_schema=False)
        async with app.router.lifespan_context(app):
            transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
                yield client

    return served


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
