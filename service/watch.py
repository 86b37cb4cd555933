"""The parent of several servers on one port: it starts, replaces, drains and ends them.

It forks the servers after loading all that they need, so replacing one takes no time, and they share memory. It takes
no part in requests.

uvicorn's own supervisor replaces without a pause, passes on no second signal, and lets chance decide which server
takes a connection from the common socket.
"""

from __future__ import annotations

import gc
import math
import os
import shutil
import signal
import socket
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import structlog

from service.app import create_app
from service.dispatch.board import Board, Seat
from service.dispatch.host import become_host
from service.dispatch.whole import ready
from service.heap import keep_memory
from service.listening import listen
from service.routes.logs import configure_logs
from service.server import FORCED_SECONDS, GLANCE_SECONDS, allow_many_files, announce, warn_of_missing_memory
from service.settings import Settings
from service.shared_server import END, run_server

SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGALRM}
FIRST_PAUSE = 0.1
LONGEST_PAUSE = 5.0
SETTLED_SECONDS = 10.0
"""A server that ended sooner is replaced after a pause, twice as long each time."""
LOOK_SECONDS = 5.0
HUNG_LOOKS = 6
"""How many checks in a row an event loop may stand still before its server counts as hanging."""
SHORTEST_REST = 0.001
MILLION = 1_000_000

log = structlog.get_logger(__name__)


@dataclass
class Post:
    """One server's post: which process holds it, since when, and when a vacant one is filled."""

    seat: Seat
    process: int | None = None
    since: float = 0.0
    due: float = 0.0
    pause: float = FIRST_PAUSE
    beats: int = -1
    still: int = 0

    def postpone(self) -> None:
        """Put off the next server, longer each time until one stays."""
        now = monotonic()
        settled = self.since and now - self.since >= SETTLED_SECONDS
        self.pause = FIRST_PAUSE if settled else min(LONGEST_PAUSE, 2 * self.pause)
        self.due = now + self.pause

    def hangs(self) -> bool:
        """Tell whether a server that had begun stands still; called once every LOOK_SECONDS."""
        row = self.seat.row
        self.still = self.still + 1 if row.process and row.beats == self.beats else 0
        self.beats = row.beats
        return self.still >= HUNG_LOOKS


def serve(settings: Settings) -> None:
    """Serve until a signal comes; raises BadSettings before anything is started."""
    configure_logs(settings.log_level, settings.log_format)
    become_host()
    keep_memory()
    allow_many_files()
    create_app(settings)  # so bad settings are reported once
    warn_of_missing_memory(settings)
    listeners = listen(settings.host, settings.port)
    gc.collect()
    gc.freeze()  # keeps what is loaded shared with the servers
    parent = os.getpid()
    # The watch takes them one by one, and nothing else does: so none comes amiss. Servers are told what they obey.
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    folder = Path(tempfile.mkdtemp(prefix="convserve-"))
    seat: Seat | None = None
    try:
        seat = Watch(settings, listeners, folder).run()
    finally:
        if seat is None:
            shutil.rmtree(folder, ignore_errors=True)
    if seat:
        run_server(settings, seat, listeners, folder, parent)


class Watch:
    """Keeps a server on each post until one of the blocked signals comes. A second signal ends them at once."""

    def __init__(self, settings: Settings, listeners: Sequence[socket.socket], folder: Path) -> None:
        self._settings = settings
        self._listeners = listeners
        self._board = Board.make(folder / "board", settings.servers)
        self._posts = [Post(Seat(self._board, number)) for number in range(settings.servers)]
        self._announced = False
        self._draining = False
        self._ending = False
        self._kill_at = math.inf
        self._next_look = 0.0

    def run(self) -> Seat | None:
        """Watch; returns None at the end, and in each forked process the seat of its server."""
        while True:
            self._bury()
            if self._draining and not any(post.process for post in self._posts):
                return None
            if seat := self._fill():
                return seat
            self._look()
            signal.setitimer(signal.ITIMER_REAL, self._rest())
            if signal.sigwait(SIGNALS) in {signal.SIGTERM, signal.SIGINT}:
                self._pass_on()

    def _fill(self) -> Seat | None:
        """Fork a server for each post that is due; returns its seat in the new process."""
        for post in self._posts:
            if post.process or self._draining or monotonic() < post.due:
                continue
            try:
                process = os.fork()
            except OSError as error:  # no process can be started
                post.postpone()
                log.error("server_not_started", server=post.seat.number, error=str(error), pause=post.pause)
                continue
            if not process:
                return post.seat
            post.process, post.since, post.beats, post.still = process, monotonic(), -1, 0
        return None

    def _bury(self) -> None:
        """Reap what has ended: servers, which are replaced after a while, and in a container their orphans."""
        while ended := _ended():
            process, status, seconds = ended
            for post in self._posts:
                if post.process != process:
                    continue
                post.process = None
                post.seat.row.clear()
                self._board.spent += round(MILLION * seconds)
                if not self._draining:
                    post.postpone()
                    self._board.replaced += 1
                    log.error("server_lost", server=post.seat.number, status=status, pause=post.pause)

    def _look(self) -> None:
        """Announce when all are ready for the first time; kill a server that hangs, or that should have ended."""
        if not (self._announced or self._draining) and all(ready(post.seat.row) for post in self._posts):
            self._announced = True
            announce(self._settings, self._listeners[0])
        now = monotonic()
        if now >= self._kill_at:
            self._kill_at = math.inf
            self._kill(self._posts)
        if now >= self._next_look:
            self._next_look = now + LOOK_SECONDS
            self._kill(post for post in self._posts if not self._draining and post.hangs())

    def _rest(self) -> float:
        """Return the seconds until there is something to do, unless a signal comes."""
        moments = [post.due for post in self._posts if not (post.process or self._draining)]
        rest = min(*moments, self._next_look, self._kill_at) - monotonic()
        return max(SHORTEST_REST, min(rest, GLANCE_SECONDS) if not (self._announced or self._draining) else rest)

    def _pass_on(self) -> None:
        """Let all servers finish what they have begun; at a second signal, end them at once."""
        if self._draining:
            self._ending, self._kill_at = True, monotonic() + 2 * FORCED_SECONDS
        self._draining = True
        for listener in self._listeners:
            listener.close()
        for post in self._posts:
            if post.process:
                os.kill(
                    post.process, END if self._ending else signal.SIGTERM
                )  # the process exists: only this one reaps it

    def _kill(self, posts: Iterable[Post]) -> None:
        for post in posts:
            if post.process:
                log.error("server_killed", server=post.seat.number)
                os.kill(post.process, signal.SIGKILL)


def _ended() -> tuple[int, int, float] | None:
    """Return a child that has ended, its exit status and its processor time; None if there is none."""
    try:
        process, status, spent = os.wait4(-1, os.WNOHANG)
    except ChildProcessError:
        return None
    return (process, os.waitstatus_to_exitcode(status), spent.ru_utime + spent.ru_stime) if process else None
