"""Our connections, served in this process by a loop whose time a test moves on: no bound is waited for."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import uvicorn
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from service.connection import Connection
from tests.waiting import PATIENCE, until


class Clock(asyncio.SelectorEventLoop):
    """An event loop whose time goes on by itself, and can be told to be later."""

    ahead = 0.0

    def time(self) -> float:
        return super().time() + self.ahead

    def skip(self, seconds: float) -> None:
        """Let so many seconds have passed, from any thread; what has been sent before is read before."""
        done = threading.Event()

        def move() -> None:
            self.ahead += seconds
            self.call_soon(done.set)

        self.call_soon_threadsafe(move)
        assert done.wait(PATIENCE)


class Counted:
    """An app that answers with the size of the body, and tells meanwhile how much of it has come."""

    def __init__(self) -> None:
        self._size = 0
        self._more = threading.Condition()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with suppress(ClientDisconnect):
            async for part in Request(scope, receive).stream():
                with self._more:
                    self._size += len(part)
                    self._more.notify_all()
            await Response(str(self._size))(scope, receive, send)

    def wait_for(self, size: int) -> None:
        """Wait, in another thread, until so many bytes have come."""
        with self._more:
            assert self._more.wait_for(lambda: self._size >= size, PATIENCE)


def until_closed(client: socket.socket, clock: Clock, seconds: float) -> bytes:
    """Read until the server closes, while so many seconds pass again and again."""
    received = b""
    client.settimeout(0.05)
    for _ in range(round(PATIENCE / 0.05)):
        clock.skip(seconds)
        with suppress(TimeoutError):
            if not (data := client.recv(65536)):
                return received
            received += data
    raise AssertionError("the server did not close")


def with_connection(check: Callable[[int, Clock], Any], app: Callable[..., object]) -> Any:
    """Run a check in a thread beside a server of these connections, with its port and its clock."""

    async def main() -> Any:
        config = uvicorn.Config(
            app, port=0, http=Connection, ws="none", lifespan="off", log_config=None, timeout_keep_alive=10**6
        )
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve())
        await until(lambda: server.started)
        clock = asyncio.get_running_loop()
        assert isinstance(clock, Clock)
        try:
            return await asyncio.to_thread(check, server.servers[0].sockets[0].getsockname()[1], clock)
        finally:
            server.should_exit = True
            await serving

    with asyncio.Runner(loop_factory=Clock) as runner:
        return runner.run(main())
