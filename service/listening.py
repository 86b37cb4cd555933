"""Accept connections on a port that several servers share: each takes those that are its turn.

The kernel would deal them out by chance, or to whoever is awake first, and one server would get most of a few kept
connections. So the server with the fewest takes the next one. The others leave it alone for a moment and take it only
if nobody else does, so a server that hangs does not keep clients waiting for long.
"""

from __future__ import annotations

import asyncio
import re
import socket
import sys
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import structlog

from service.connection import CONNECTIONS, Connection, most_connections
from service.dispatch.board import Row, Seat

GLANCE_SECONDS = 0.001
"""Seconds until a server looks again whether a connection that was not its turn is still waiting."""
PATIENCE_SECONDS = 0.1
"""Seconds that others have to take a connection, before any server does."""
ACCEPTED_IN_A_TURN = 256
"""Connections accepted in one turn of the event loop; each takes a hundredth of a millisecond."""
SERVED_IN_A_TURN = 16
"""Accepted connections that begin to be served in one turn; each takes a tenth of a millisecond."""
WAITING_SHARE = 8
"""Of the connections that a server may have, an eighth may wait to be served. Each is an open file; others wait in the
kernel."""
_PROBE = re.compile(rb"(?:GET|HEAD) /(?:livez|readyz)[ ?]")
_PROBE_BYTES = 16
SHORT_SECONDS = 1.0
"""Seconds before the next try if files or memory are short; asyncio waits as long."""
BALANCE_SECONDS = 1.0
LENIENCE = 8
"""A server may have an eighth more connections, or jobs, than the one with the fewest. Few are spread evenly."""
CLOSE = (b"connection", b"close")
BACKLOG = 2048  # like uvicorn
FAILURE = 1

log = structlog.get_logger(__name__)


def listen(host: str, port: int) -> Sequence[socket.socket]:
    """Listen on every address of the host, as asyncio's servers do; ends the program if that fails."""

    async def bound() -> Sequence[socket.socket]:
        server = await asyncio.get_running_loop().create_server(
            asyncio.Protocol, host, port, backlog=BACKLOG, start_serving=False
        )
        async with server:
            return [listener.dup() for listener in server.sockets]

    try:
        listeners = asyncio.run(bound())
    except OSError as error:
        log.error("not_listening", error=str(error))
        sys.exit(FAILURE)
    for listener in listeners:
        listener.settimeout(0)
        listener.listen(BACKLOG)
    return listeners


class Listening:
    """Accepts connections from `sockets` when it is this server's turn; `make` makes their protocol.

    When very many arrive at once, all are accepted, and then served a few at a time. Health checks go first: they
    would be late behind a thousand others.
    """

    def __init__(self, sockets: Sequence[socket.socket], balance: Balance, make: Callable[[], Connection]) -> None:
        self._sockets = list(sockets)
        self._balance = balance
        self._seat = balance.seat
        self._make = make
        self._loop = asyncio.get_running_loop()
        self._accepted: deque[socket.socket] = deque()
        self._serving = False
        self._arriving: set[asyncio.Task[Any]] = set()
        self._pauses: dict[socket.socket, asyncio.TimerHandle] = {}
        self._taken = -1
        self._left_since = self._looked = 0.0
        for listener in self._sockets:
            self._loop.add_reader(listener, self._offered, listener)

    def close(self) -> None:
        """Accept no more. The sockets stay open in other processes."""
        for pause in self._pauses.values():
            pause.cancel()
        for listener in self._sockets:
            self._loop.remove_reader(listener)
            listener.close()
        self._sockets.clear()
        while self._accepted:
            self._accepted.pop().close()
            self._seat.row.connections -= 1

    def _offered(self, listener: socket.socket) -> None:
        """Accept what is there: many may come between two turns of the event loop."""
        room = max(1, self._balance.most // WAITING_SHARE) - len(self._accepted)
        for _ in range(min(ACCEPTED_IN_A_TURN, room)):
            if not (self._balance.is_turn() or self._nobody_does()):
                self._pause(listener, GLANCE_SECONDS)
                return
            try:
                connection, _ = listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):  # or another server was faster
                return
            except OSError as error:  # not the fault of the waiting connection
                log.error("no_connection_taken", error=str(error))
                self._pause(listener, SHORT_SECONDS)
                return
            self._take(connection)

    def _take(self, connection: socket.socket) -> None:
        connection.settimeout(0)
        row = self._seat.row
        row.taken += 1
        row.connections += 1
        if _asks_for_health(connection):
            self._serve(connection)
            return
        self._accepted.append(connection)
        if not self._serving:
            self._serving = True
            self._loop.call_soon(self._serve_some)

    def _serve_some(self) -> None:
        """Begin to serve some of the accepted connections, and the others in the next turns."""
        for _ in range(min(SERVED_IN_A_TURN, len(self._accepted))):
            self._serve(self._accepted.popleft())
        self._serving = bool(self._accepted)
        if self._serving:
            self._loop.call_soon(self._serve_some)

    def _serve(self, connection: socket.socket) -> None:
        arriving = self._loop.create_task(self._loop.connect_accepted_socket(self._make, connection))
        self._arriving.add(arriving)
        arriving.add_done_callback(self._arrived)

    def _arrived(self, task: asyncio.Task[Any]) -> None:
        self._arriving.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self._seat.row.connections -= 1
            log.warning("connection_lost_at_once", error=str(error))

    def _nobody_does(self) -> bool:
        """Tell whether connections have been waiting for a while and no server has accepted one."""
        taken, now = sum(row.taken for row in self._seat.board.rows), self._loop.time()
        if taken != self._taken or now - self._looked >= PATIENCE_SECONDS:  # the last one that waited is gone
            self._taken, self._left_since = taken, now
        self._looked = now
        return now - self._left_since >= PATIENCE_SECONDS

    def _pause(self, listener: socket.socket, seconds: float) -> None:
        self._loop.remove_reader(listener)
        self._pauses[listener] = self._loop.call_later(seconds, self._go_on, listener)

    def _go_on(self, listener: socket.socket) -> None:
        del self._pauses[listener]
        self._loop.add_reader(listener, self._offered, listener)


def _asks_for_health(connection: socket.socket) -> bool:
    """Look at the first bytes of a connection, if they have arrived, and leave them there."""
    try:
        return bool(_PROBE.match(connection.recv(_PROBE_BYTES, socket.MSG_PEEK)))
    except OSError:  # nothing has arrived, or the connection is lost, which whoever serves it will find
        return False


class SharedConnection(Connection):
    """A connection that is counted on the board, and that its client is asked to close if its server has too many."""

    def __init__(self, *args: Any, balance: Balance, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._balance = balance

    def most(self) -> int:
        return self._balance.most

    def connection_lost(self, exc: Exception | None) -> None:
        self._balance.seat.row.connections -= 1
        super().connection_lost(exc)

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        if self._balance.surplus and self.cycle and not self.pipeline:
            self._balance.surplus -= 1
            self.cycle.default_headers = [*self.cycle.default_headers, CLOSE]


class Balance:
    """How the connections are spread over the servers, as one of them sees it.

    `surplus` connections are closed with their next answer. Their clients come again and meet the server with the
    fewest, so a server that replaces another gets its share of the kept connections.
    """

    def __init__(self, seat: Seat) -> None:
        self.seat = seat
        self.surplus = 0
        self.most = min(most_connections(), max(1, seat.share(CONNECTIONS)))
        self._beats = [-1] * len(seat.others)
        self._still = set[int]()

    async def keep(self) -> None:
        """Keep checking which servers hang, and whether this one has more than its share."""
        while True:
            self.look()
            await asyncio.sleep(BALANCE_SECONDS)

    def look(self) -> None:
        before, self._beats = self._beats, [row.beats for row in self.seat.others]
        self._still = {row.process for row, then in zip(self.seat.others, before, strict=True) if row.beats == then}
        self.surplus = self._too_many()

    def is_turn(self) -> bool:
        """Tell whether this server should accept the next connection.

        It has the fewest connections, or nearly, and the fewest jobs among servers with as few.
        """
        candidates = self._candidates()
        few = _with_few(candidates, lambda row: row.connections)
        return self.seat.row in _with_few(few, lambda row: row.jobs)

    def _too_many(self) -> int:
        counts, own = [row.connections for row in self._candidates()], self.seat.row.connections
        mean = -(-sum(counts) // len(counts))
        return max(0, own - mean) if own > 2 * min(counts) + 1 else 0

    def _candidates(self) -> Sequence[Row]:
        """List the servers that can have work done and do not hang; all if there are none."""
        rows = self.seat.board.rows
        return [row for row in rows if row.open and row.process not in self._still] or rows


def _with_few(rows: Sequence[Row], count: Callable[[Row], int]) -> Sequence[Row]:
    """List the servers with the fewest, or nearly so."""
    least = min(map(count, rows))
    return [row for row in rows if count(row) <= least + least // LENIENCE]
