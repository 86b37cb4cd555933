"""One HTTP connection with bounds that uvicorn does not set: nobody holds one by sending slowly, or without end."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from uuid import uuid4

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from service.routes.problem_table import KINDS

HEAD_BYTES = 1 << 20  # a spec with a kernel of 255x255 fits into the query
HEAD_SECONDS = 15.0
BODY_SECONDS = 30.0
BODY_BYTES_PER_SECOND = 16 * 1024
WRITE_SECONDS = 60.0


class Connection(HttpToolsProtocol):
    """Closes a connection whose head is too long or too late, whose body trickles, or whose client does not read."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._reading: asyncio.TimerHandle | None = None
        self._writing: asyncio.TimerHandle | None = None
        self._in_head = True
        self._head_bytes = 0
        self._body_bytes = 0
        self._body_began = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        for timer in (self._reading, self._writing):
            if timer:
                timer.cancel()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._expect_head()

    def data_received(self, data: bytes) -> None:
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES:
                self.send_400_response("")
                return
        super().data_received(data)

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self._in_head = False
        self._body_bytes = 0
        self._body_began = self.loop.time()
        self._expect(BODY_SECONDS, self._check_body)

    def on_body(self, body: bytes) -> None:
        super().on_body(body)
        self._body_bytes += len(body)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        if self._reading:
            self._reading.cancel()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._writing = self.loop.call_later(WRITE_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._writing:
            self._writing.cancel()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - the parser's own words stay inside
        """Answer what is no HTTP as every other refusal is answered."""
        kind = KINDS["bad_request"]
        request_id = uuid4().hex
        document = {
            "type": f"{self.root_path}/problems/{kind.code}",
            "title": kind.title,
            "status": kind.status,
            "detail": "the request is not valid HTTP/1.1, or its head is too long",
            "code": kind.code,
            "request_id": request_id,
        }
        body = json.dumps(document).encode()
        head = (
            f"HTTP/1.1 {kind.status} Bad Request\r\nContent-Type: application/problem+json\r\n"
            f"Content-Length: {len(body)}\r\nX-Request-ID: {request_id}\r\nConnection: close\r\n\r\n"
        )
        self.transport.write(head.encode("ascii") + body)
        self.transport.close()

    def _expect_head(self) -> None:
        self._in_head = True
        self._head_bytes = 0
        self._expect(HEAD_SECONDS, self.transport.close)

    def _check_body(self) -> None:
        """Let a body take its time as long as it comes on at a pace; one that waits its turn is not measured."""
        seconds = self.loop.time() - self._body_began
        if self.pipeline or self.flow.read_paused or self._body_bytes >= BODY_BYTES_PER_SECOND * seconds:
            self._expect(BODY_SECONDS, self._check_body)
        elif not self.cycle.response_complete:
            self.transport.close()

    def _expect(self, seconds: float, otherwise: Any) -> None:
        if self._reading:
            self._reading.cancel()
        self._reading = self.loop.call_later(seconds, otherwise)
