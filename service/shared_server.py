"""One of several servers: its signals, its share of the connections, and its reports to the others."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from fastapi import FastAPI

from service.app import create_app
from service.dispatch.board import Seat
from service.dispatch.lifeline import die_with_parent
from service.dispatch.process import start_fork_server
from service.routes.logs import configure_logs
from service.server import Draining
from service.settings import Settings

LOOK_SECONDS = 1.0
END = signal.SIGUSR1
"""The parent's signal to end at once. SIGTERM, however often it comes, lets a server finish what it has begun, because
whoever signals all processes of the service sends one in addition to the parent's."""


def run_server(settings: Settings, seat: Seat, listeners: Sequence[socket.socket], counters: Path, parent: int) -> None:
    """Serve until the parent says so or is gone; called in the forked process."""
    die_with_parent()
    for number in (signal.SIGTERM, END):
        signal.signal(number, lambda *_: os._exit(0))  # nothing has been accepted yet
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    configure_logs(settings.log_level, settings.log_format, seat.number)
    start_fork_server(compiled=settings.compile != "off")
    app = create_app(settings, seat=seat, counters=counters)
    SharedServer(app, settings, listeners, parent).run(sockets=[])


class SharedServer(Draining):
    """A server that takes turns with others at their common sockets."""

    def __init__(self, app: FastAPI, settings: Settings, listeners: Sequence[socket.socket], parent: int) -> None:
        super().__init__(app, settings, listeners)
        self._parent = parent

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        signal.signal(END, lambda *_: self.end())
        await super().startup(sockets)
        self.begin(self._balance.keep())
        self.begin(self._end_with_parent())

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        if sig == signal.SIGINT:
            return
        if self.started:
            self.drain()
        else:
            self.end()

    async def _end_with_parent(self) -> None:
        """End when the parent is gone, on systems whose kernel does not see to it."""
        while os.getppid() == self._parent:
            await asyncio.sleep(LOOK_SECONDS)
        self.end()
