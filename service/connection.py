"""One HTTP connection with bounds that uvicorn lacks: no client can hold it by trickling bytes or forever."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from functools import cache
from http import HTTPStatus
from typing import Any, cast
from uuid import uuid4
from weakref import ref

from httptools import HttpParserUpgrade, HttpRequestParser
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from service.outgoing import Data, Outgoing
from service.routes.last_answer import MOST_SECONDS
from service.routes.line import KEY
from service.routes.problem_table import KINDS, Kind

if sys.platform != "win32":
    import resource

HEAD_BYTES = 1 << 20  # a spec with a kernel of 255x255 fits into the query
FIELD_BYTES = 32 * 1024  # all header fields together; proxies and cookies need a few KiB
FIELDS = 100
FRAMING = 8  # bytes of chunk sizes and the like per byte of a body: chunks of one byte take five
HEAD_SECONDS = 15.0
BODY_SECONDS = 30.0
BODY_BYTES_PER_SECOND = 16 * 1024
TELLING_SECONDS = 1.0  # for a route to refuse a slow body; then this module refuses it
SWALLOWED_BYTES = 64 << 20  # most bytes read of a body that was answered before its end
WRITE_BYTES_PER_SECOND = 4000  # a little less than the promised 4 KiB
WRITE_SECONDS = 240.0
"""How far a reader may fall behind that pace: systems acknowledge up to a sixteenth of their receive buffer at once,
so a client that reads 4 KiB a second is silent for minutes."""
GLANCES = 16  # checks of a reader's pace within that time
PIPELINED = 32
CONNECTIONS = 8192
_UPGRADING = frozenset({b"connection", b"upgrade", b"http2-settings"})


@cache
def most_connections() -> int:
    """Bound the connections so that half of the files that this process may open remain for its work."""
    if sys.platform == "win32":
        return CONNECTIONS
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return CONNECTIONS if files == resource.RLIM_INFINITY else min(CONNECTIONS, files // 2)


_NO_HTTP = (
    "the request is not valid HTTP/1.1, or its head is too long: at most "
    f"{HEAD_BYTES:,} bytes, of which {FIELD_BYTES:,} in {FIELDS} header fields"
)


class _Refused(Exception):
    """The request is refused; the parser turns this into an error of its own."""


class _Parser(HttpRequestParser):
    """Ignores a request's wish to upgrade to another protocol."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._connection = connection
        self.set_dangerous_leniencies(lenient_data_after_close=True)  # as on uvicorn's own parser

    def feed_data(self, data: Any) -> None:
        try:
            super().feed_data(data)
        except HttpParserUpgrade as stopped:
            self._connection.read_without_upgrade(stopped.args[0])


class _Answer(asyncio.Transport):
    """The transport of one answer and its `Line`; it writes the head together with the first piece of the body.

    Written separately, a small answer would take two packets and wake the client twice.
    """

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self._connection = connection
        self._cycle = ref(connection.cycle)  # it refers to this
        self._head: Data | None = None
        self._bodiless = connection.cycle.scope["method"] == "HEAD"
        self._body_from = 0
        self.too_slow = ""

    def write(self, data: Data) -> None:
        outgoing = self._connection.outgoing
        if self._head:
            head, self._head = self._head, b""
            self._body_from = outgoing.written + len(head)
            outgoing.write(head, data)
        elif self._head is None and (cycle := self._cycle()) and cycle.response_started and not self._bodiless:
            self._head = data
        else:  # such as the request for the body (100 Continue)
            outgoing.write(data)

    def close(self) -> None:
        if self._head:
            self._connection.outgoing.write(self._head)
        self._connection.transport.close()

    def is_closing(self) -> bool:
        return self._connection.transport.is_closing()

    def watch(self, gone: Callable[[], None] | None) -> None:
        connection = self._connection
        if gone and connection.lost:
            gone()
            return
        connection.gone = gone
        if gone:
            connection.flow.resume_reading()  # a large body has paused it, and the end of a client is read

    async def settled(self) -> int | None:
        connection = self._connection
        while not connection.lost and connection.flow.write_paused:
            await connection.flow.drain()
        if not (connection.lost or connection.outgoing.broken):
            return None
        taken = connection.taken if connection.lost else connection.outgoing.written
        return max(0, taken - self._body_from) if self._body_from else 0


class Connection(HttpToolsProtocol):
    """Closes a connection whose head is too long or too late, whose body trickles, or whose client does not read."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.parser = _Parser(self)
        self._reading: asyncio.TimerHandle | None = None
        self._expected: tuple[float, Callable[[], None]] | None = None
        self._parsing = False
        self._writing: asyncio.TimerHandle | None = None
        self.since = 0.0
        self._under_way = False
        self._in_head = True
        self._fields = self._field_bytes = 0
        self._piece = b""
        self._overhead = 0
        self._body_bytes = 0
        self._seen_bytes = 0
        self._swallowed = 0
        self._behind = 0.0
        self._glanced = (0.0, 0)
        self.lost = False
        self.gone: Callable[[], None] | None = None
        self.taken = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.outgoing = Outgoing(transport)
        self.since = self.loop.time()
        if len(self.connections) > self.most():
            self._make_room()
        self._expect(HEAD_SECONDS, self._end_late_head)

    def most(self) -> int:
        """Return the maximum number of open connections of this server."""
        return most_connections()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note the bytes that the connection took: all that were written, unless it broke."""
        if not self.lost:
            self.lost = True
            self.taken = self.outgoing.written if exc is None else self.outgoing.taken()
        if self.gone:
            self.gone()
        super().connection_lost(exc)
        if self.timeout_keep_alive_task:
            self.timeout_keep_alive_task.cancel()
        self._expect_nothing()
        self.resume_writing()
        self._forget()

    def _forget(self) -> None:
        """Let go of whatever refers to the connection: it is freed at once, and the collector has nothing to find."""
        self.cycle = self.scope = self.headers = None  # type: ignore[assignment]
        self.pipeline.clear()
        self.gone = None

    def data_received(self, data: bytes) -> None:
        self._piece = data
        self._overhead += len(data)
        before, self._parsing = self._expected, True
        super().data_received(data)
        self._parsing = False
        if self._expected is not before:
            self._wait()
        if self.transport.is_closing():
            return
        if self._overhead > HEAD_BYTES + FRAMING * self._body_bytes:
            self.send_400_response("")
        elif not (self._under_way or self._expected or self.timeout_keep_alive_task) and not self._owes_answers():
            self._expect(HEAD_SECONDS, self._end_late_head)  # line ends, which belong to no request

    def on_message_begin(self) -> None:
        if len(self.pipeline) >= PIPELINED:
            raise _Refused
        super().on_message_begin()
        self._under_way = self._in_head = True
        self._fields = self._field_bytes = self._body_bytes = self._swallowed = 0
        self._overhead = len(self._piece)
        self._expect(HEAD_SECONDS, self._end_late_head)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._fields += 1
        self._field_bytes += len(name) + len(value)
        if self._fields > FIELDS or self._field_bytes > FIELD_BYTES:
            raise _Refused
        if self._in_head:  # trailers after a body would be taken for header fields
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        hosts = sum(name == b"host" for name, _ in self.headers)
        if hosts > 1 or (hosts < 1 and self.parser.get_http_version() == "1.1"):  # RFC 9112, section 3.2
            raise _Refused
        if self._would_upgrade():
            return
        self.url, _, query = self.url.partition(b"?")  # uvicorn's URL parser stops at 64 KiB
        super().on_headers_complete()
        self.cycle.transport = cast(dict[str, Any], self.scope)[KEY] = _Answer(self)
        self.scope["query_string"] = query.partition(b"#")[0]
        self._in_head = False
        self._seen_bytes = 0
        self._expect(BODY_SECONDS, self._check_body)

    def on_body(self, body: bytes) -> None:
        self._overhead = max(0, self._overhead - len(body))
        self._body_bytes += len(body)
        if self.cycle.response_complete:
            self._swallowed += len(body)
            if self._swallowed > SWALLOWED_BYTES:
                self.transport.close()
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self._would_upgrade():
            return
        super().on_message_complete()
        self._under_way = False
        self._expect_nothing()

    def _would_upgrade(self) -> bool:
        return bool(self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT")

    def read_without_upgrade(self, end: int) -> None:
        """Read the request again without its upgrade fields (RFC 9110, section 7.8).

        The parser has stopped after the head, at byte `end` of the piece, and would drop the body.
        """
        version = self.parser.get_http_version().encode()
        lines = [b"%s %s HTTP/%s" % (self.parser.get_method(), self.url, version)]
        lines += [b"%s: %s" % field for field in self.headers if field[0] not in _UPGRADING]
        if any(name == b"connection" and b"close" in value.lower() for name, value in self.headers):
            lines.append(b"connection: close")
        self.parser = _Parser(self)
        self.data_received(b"\r\n".join([*lines, b"", self._piece[end:]]))

    def pause_writing(self) -> None:
        super().pause_writing()
        self._behind = 0.0
        self._glanced = (self.loop.time(), self.outgoing.taken())
        self._writing = self.loop.call_later(WRITE_SECONDS / GLANCES, self._check_reader)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._writing:
            self._writing.cancel()
            self._writing = None

    def _check_reader(self) -> None:
        """Let a reader take its time as long as it keeps the pace; an earlier lead does not count."""
        then, had = self._glanced
        self._glanced = now, has = self.loop.time(), self.outgoing.taken()
        self._behind = max(0.0, self._behind + (now - then) * WRITE_BYTES_PER_SECOND - (has - had))
        if self._behind < WRITE_SECONDS * WRITE_BYTES_PER_SECOND:
            self._writing = self.loop.call_later(WRITE_SECONDS / GLANCES, self._check_reader)
        else:
            self.lost, self.taken = True, self.outgoing.sent  # the system goes on sending what it has
            self.transport.abort()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - the parser's own words stay inside
        """Answer invalid HTTP like every other refusal, after the answers to earlier requests."""
        if self.transport.is_closing():
            return
        if self._owes_answers() and (self.pipeline or not self.cycle.more_body):
            self.cycle.keep_alive = False
            self.flow.pause_reading()
            return
        self._refuse(KINDS["bad_request"], _NO_HTTP)

    def _refuse(self, kind: Kind, detail: str) -> None:
        """Send a refusal, unless another answer is half written, and close the connection."""
        if not (self._owes_answers() and self.cycle.response_started):
            self.outgoing.write(self._refusal(kind, detail))
        self.transport.close()

    def _refusal(self, kind: Kind, detail: str) -> bytes:
        request_id = uuid4().hex
        document = {
            "type": f"{self.root_path}/problems/{kind.code}",
            "title": kind.title,
            "status": kind.status,
            "detail": detail,
            "instance": "/",
            "code": kind.code,
            "request_id": request_id,
        }
        body = json.dumps(document).encode()
        head = (
            f"HTTP/1.1 {kind.status} {HTTPStatus(kind.status).phrase}\r\nContent-Type: application/problem+json\r\n"
            f"Content-Length: {len(body)}\r\nX-Request-ID: {request_id}\r\nX-Content-Type-Options: nosniff\r\n"
            "Connection: close\r\n\r\n"
        )
        return head.encode("ascii") + body

    def _owes_answers(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _make_room(self) -> None:
        """Close the oldest idle connection, or this one if none is idle."""
        others = (other for other in self.connections if isinstance(other, Connection) and other is not self)
        idle = [other for other in others if other.gives_way()]
        min(idle, key=lambda other: other.since, default=self).transport.close()

    def gives_way(self) -> bool:
        """Tell whether the connection is idle: no request, or only part of a head, has arrived."""
        return not self._owes_answers() and (self._in_head or not self._under_way) and not self.transport.is_closing()

    @property
    def _answer(self) -> _Answer:
        return cast(_Answer, self.cycle.transport)

    def _check_body(self) -> None:
        """Let a body take its time as long as it keeps the pace; a body that waits its turn is not measured."""
        arrived = self._body_bytes - self._seen_bytes
        self._seen_bytes = self._body_bytes
        if self.pipeline or self.flow.read_paused or arrived >= BODY_BYTES_PER_SECOND * BODY_SECONDS:
            self._expect(BODY_SECONDS, self._check_body)
        elif self.cycle.response_started:
            self.transport.close()
        else:
            self._answer.too_slow = (
                f"{arrived:,} bytes of the body came within {BODY_SECONDS:g} s; "
                f"at least {BODY_BYTES_PER_SECOND:,} a second are waited for"
            )
            self.cycle.message_event.set()  # wakes the reader of the body
            self._expect(TELLING_SECONDS, self._end_slow_body)

    def _end_slow_body(self) -> None:
        """Refuse the request if no route has; otherwise give the client some time to read the route's answer."""
        if self.cycle.response_started:
            self._expect(2 * MOST_SECONDS, self.transport.close)
        else:
            self._refuse(KINDS["request_timeout"], self._answer.too_slow)

    def _end_late_head(self) -> None:
        if self._under_way and self._in_head and not self._owes_answers():
            self._refuse(KINDS["request_timeout"], f"the head of the request was not complete after {HEAD_SECONDS:g} s")
        else:
            self.transport.close()

    def _expect(self, seconds: float, otherwise: Callable[[], None]) -> None:
        """Expect more of the client within so many seconds; what is there is parsed before any time is kept."""
        self._expected = seconds, otherwise
        if not self._parsing:
            self._wait()

    def _expect_nothing(self) -> None:
        self._expected = None
        if not self._parsing:
            self._wait()

    def _wait(self) -> None:
        if self._reading:
            self._reading.cancel()
        self._reading = self.loop.call_later(*self._expected) if self._expected else None
