"""A server process: it announces where it listens, and when told to end it finishes what it has begun."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import sys
from collections.abc import Coroutine, Sequence
from time import perf_counter
from types import FrameType

import structlog
import typer
import uvicorn
from fastapi import FastAPI

from service.app import create_app
from service.dispatch import Dispatcher
from service.dispatch.board import Seat
from service.dispatch.host import become_host
from service.heap import keep_memory
from service.listening import Balance, Listening, SharedConnection, listen
from service.routes.logs import configure_logs
from service.settings import Settings

if sys.platform != "win32":
    import resource

KEEP_ALIVE_SECONDS = 75  # longer than the 60 s of the usual balancers, which would otherwise meet closed connections
LAST_ANSWERS_SECONDS = 5
FORCED_SECONDS = 1.0
MOST_FILES = 65536
GLANCE_SECONDS = 0.05
OBJECTS_PER_COLLECTION = 10_000
"""New objects before the garbage collector looks for cycles, which takes milliseconds without an answer to anyone.
Requests leave no cycles behind, but many at once are many objects."""
COLLECTIONS = 1_000
"""Collections of new objects before older ones are searched; an idle server searches them sooner."""
REST_SECONDS = 1.0

log = structlog.get_logger("service.server")


def serve(settings: Settings) -> None:
    """Serve until a signal comes; raises BadSettings before anything is started."""
    configure_logs(settings.log_level, settings.log_format)
    become_host()
    keep_memory()
    allow_many_files()
    app = create_app(settings)
    warn_of_missing_memory(settings)
    Server(app, settings, listen(settings.host, settings.port)).run(sockets=[])


def warn_of_missing_memory(settings: Settings) -> None:
    if settings.scheduler is None and (missing := settings.missing_memory()):
        log.warning("memory_overcommitted", detail=missing)


def _configuration(settings: Settings, app: FastAPI) -> uvicorn.Config:
    """Configure uvicorn for the app, and set up the garbage collector."""
    gc.collect()
    gc.freeze()  # or the collector would walk all that is loaded, with no answer to anyone meanwhile
    gc.set_threshold(OBJECTS_PER_COLLECTION, COLLECTIONS)
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=SharedConnection,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # nothing here depends on the client's address
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=LAST_ANSWERS_SECONDS,
    )


class Draining(uvicorn.Server):
    """Accepts connections from its listeners, and drains before it closes: new requests are answered 503 meanwhile."""

    def __init__(self, app: FastAPI, settings: Settings, listeners: Sequence[socket.socket]) -> None:
        super().__init__(_configuration(settings, app))
        self.draining = False
        self._settings = settings
        self._dispatcher: Dispatcher = app.state.services.dispatcher
        self._seat: Seat = app.state.services.seat
        self._listeners = listeners
        self._balance = Balance(self._seat)
        self._listening: Listening | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        self._listening = Listening(self._listeners, self._balance, self._connection)
        self.begin(self._tidy())

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._listening:
            self._listening.close()
        await super().shutdown(sockets)

    def drain(self) -> None:
        """Begin to drain; may be called again, and from a signal handler."""
        if self._loop and not self.draining:
            self.draining = True
            self._loop.call_soon_threadsafe(lambda: self.begin(self._drain()))

    def end(self) -> None:
        """End at once, even if something hangs."""
        self.should_exit = self.force_exit = True
        if sys.platform != "win32":
            signal.signal(signal.SIGALRM, lambda *_: os._exit(0))
            signal.setitimer(signal.ITIMER_REAL, FORCED_SECONDS)

    def begin(self, work: Coroutine[None, None, None]) -> None:
        """Run a task beside the serving."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _connection(self) -> SharedConnection:
        return SharedConnection(
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state, balance=self._balance
        )

    async def _tidy(self) -> None:
        """Run a full collection while no job is under way, if there were many new objects."""
        while True:
            await asyncio.sleep(REST_SECONDS)
            _, collections, _ = gc.get_count()
            if collections and not self._seat.row.jobs:
                gc.collect()

    async def _drain(self) -> None:
        log.info("draining", grace=self._settings.grace)
        end = perf_counter() + self._settings.grace
        await self._dispatcher.stop()
        # time that the jobs did not need goes to clients that are still reading
        self.config.timeout_graceful_shutdown = max(LAST_ANSWERS_SECONDS, round(end - perf_counter()))
        self.should_exit = True


class Server(Draining):
    """The only server of a service. A second signal ends it at once."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.begin(self._announce())

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        if self.draining or not self.started:
            self.end()
        else:
            self.drain()

    async def _announce(self) -> None:
        while not self._dispatcher.status().ready and not self.draining:
            await asyncio.sleep(GLANCE_SECONDS)
        if not self.draining:
            announce(self._settings, self._listeners[0])


def announce(settings: Settings, listener: socket.socket) -> None:
    """Print or log the pages that a visitor looks for, at the address that is really listened on."""
    host, port = listener.getsockname()[:2]
    root = f"http://{reachable(host)}:{port}{settings.root_path}"
    addresses = {"root": f"{root}/", "docs": f"{root}/docs", "health": f"{root}/readyz"}
    if settings.log_format == "json":
        log.info("ready", **addresses)
    else:
        typer.echo("convserve is ready")
        for name, address in addresses.items():
            typer.echo(f"  {name:<7}{address}")
        sys.stdout.flush()


def reachable(host: str) -> str:
    """Turn an address that is listened on into one that clients can use."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    return f"[{host}]" if ":" in host else host


def allow_many_files() -> None:
    """Raise the soft limit on open files, often 1,024: every connection is one, so a few clients could use it up."""
    if sys.platform != "win32":
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(MOST_FILES, hard)
        if soft != resource.RLIM_INFINITY and soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
