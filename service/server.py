"""The one server process: when it is ready it says where, and when it is told to end it finishes what it has begun."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import sys
from time import perf_counter
from types import FrameType

import structlog
import typer
import uvicorn
from fastapi import FastAPI

from service.app import create_app
from service.connection import Connection
from service.dispatch import Dispatcher
from service.dispatch.host import become_host
from service.heap import keep_memory
from service.routes.logs import configure_logs
from service.settings import Settings

if sys.platform != "win32":
    import resource

KEEP_ALIVE_SECONDS = 75  # longer than the 60 s of the usual balancers, which would otherwise meet closed connections
LAST_ANSWERS_SECONDS = 5
FORCED_SECONDS = 1.0
MOST_FILES = 65536
GLANCE_SECONDS = 0.05
OBJECTS_PER_COLLECTION = 20_000
"""New ones, before the collector looks for those that refer to each other: requests leave hardly any."""

log = structlog.get_logger("service.server")


def serve(settings: Settings) -> None:
    """Serve until a signal comes; raises BadSettings before anything is started."""
    configure_logs(settings.log_level, settings.log_format)
    become_host()
    keep_memory()
    _allow_many_files()
    app = create_app(settings)
    if settings.scheduler is None and (missing := settings.missing_memory()):
        log.warning("memory_overcommitted", detail=missing)
    gc.collect()
    gc.freeze()  # the collector would otherwise walk all that was loaded, and nobody is answered meanwhile
    gc.set_threshold(OBJECTS_PER_COLLECTION)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=Connection,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # nothing here depends on a client's address
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=LAST_ANSWERS_SECONDS,
    )
    Server(config, app, settings).run()


class Server(uvicorn.Server):
    """Drains before it closes: what comes meanwhile is answered 503. A second signal ends it at once."""

    def __init__(self, config: uvicorn.Config, app: FastAPI, settings: Settings) -> None:
        super().__init__(config)
        self._settings = settings
        self._dispatcher: Dispatcher = app.state.services.dispatcher
        self._loop: asyncio.AbstractEventLoop | None = None
        self._draining = False
        self._tasks: set[asyncio.Task[None]] = set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        self._begin(self._announce())

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        if self._draining or not self.started or self._loop is None:
            self.should_exit = self.force_exit = True
            if sys.platform != "win32":  # whatever hangs
                signal.signal(signal.SIGALRM, lambda *_: os._exit(0))
                signal.setitimer(signal.ITIMER_REAL, FORCED_SECONDS)
            return
        self._draining = True
        self._loop.call_soon_threadsafe(lambda: self._begin(self._drain()))

    def addresses(self) -> dict[str, str]:
        """Name the pages that a visitor looks for, under the address that is really listened on."""
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        root = f"http://{reachable(host)}:{port}{self._settings.root_path}"
        return {"root": f"{root}/", "docs": f"{root}/docs", "health": f"{root}/readyz"}

    async def _announce(self) -> None:
        while not self._dispatcher.status().ready and not self._draining:
            await asyncio.sleep(GLANCE_SECONDS)
        if self._draining:
            return
        if self._settings.log_format == "json":
            log.info("ready", **self.addresses())
        else:
            typer.echo("convserve is ready")
            for name, address in self.addresses().items():
                typer.echo(f"  {name:<7}{address}")
            sys.stdout.flush()

    async def _drain(self) -> None:
        log.info("draining", grace=self._settings.grace)
        end = perf_counter() + self._settings.grace
        await self._dispatcher.stop()
        # what was finished early leaves its time to the clients that are still reading
        self.config.timeout_graceful_shutdown = max(LAST_ANSWERS_SECONDS, round(end - perf_counter()))
        self.should_exit = True

    def _begin(self, work: object) -> None:
        task = asyncio.ensure_future(work)  # type: ignore[call-overload]
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def reachable(host: str) -> str:
    """Turn the address that is listened on into one that can be called."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    return f"[{host}]" if ":" in host else host


def _allow_many_files() -> None:
    """Raise the soft bound on open files, often 1,024, which a few clients could use up; every connection is one."""
    if sys.platform != "win32":
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(MOST_FILES, hard)
        if soft != resource.RLIM_INFINITY and soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
