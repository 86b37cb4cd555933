"""One of several servers: what it obeys, its part of the connections, and what it tells the others."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from service.app import create_app
from service.dispatch.board import Seat
from service.dispatch.lifeline import die_with_parent
from service.dispatch.process import start_fork_server
from service.listening import Balance, Listening, SharedConnection
from service.routes.logs import configure_logs
from service.server import Draining, configuration
from service.settings import Settings

END = signal.SIGUSR1
"""The parent's word that a server is to end at once. SIGTERM, however often it comes, lets it finish what it has begun:
whoever sends that to all processes of the service sends it beside the parent's."""


def run_server(settings: Settings, seat: Seat, listeners: Sequence[socket.socket], counters: Path) -> None:
    """Serve until the parent says that it is enough, or is gone; in a process that was forked for it."""
    die_with_parent()
    for number in (signal.SIGTERM, END):
        signal.signal(number, lambda *_: os._exit(0))  # nothing has been accepted yet
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    configure_logs(settings.log_level, settings.log_format, seat.number)
    start_fork_server(compiled=settings.compile != "off")
    SharedServer(settings, seat, listeners, counters).run(sockets=[])


class SharedServer(Draining):
    """A server that takes its turn at the sockets of all."""

    def __init__(self, settings: Settings, seat: Seat, listeners: Sequence[socket.socket], counters: Path) -> None:
        app = create_app(settings, seat=seat, counters=counters)
        super().__init__(configuration(settings, app, SharedConnection), app, settings)
        self._balance = Balance(seat)
        self._listeners = listeners
        self._listening: Listening | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        signal.signal(END, lambda *_: self.end())
        await super().startup(sockets)
        if (parent := multiprocessing.parent_process()) and self._loop:
            self._loop.add_reader(parent.sentinel, self._orphaned, parent.sentinel)
        self._listening = Listening(self._listeners, self._balance, self._connection)
        self.begin(self._balance.keep())

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._listening:
            self._listening.close()
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        if sig == signal.SIGINT:
            return
        if self.started:
            self.drain()
        else:
            self.end()

    def _connection(self) -> SharedConnection:
        return SharedConnection(
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state, balance=self._balance
        )

    def _orphaned(self, sentinel: int) -> None:
        if self._loop:
            self._loop.remove_reader(sentinel)
        self.end()
