"""A worker's result as an HTTP answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from time import perf_counter

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from service.engine.jobs import Buffer, Result
from service.routes.exchange import Exchange
from service.routes.negotiation import VARY
from service.routes.room import Room
from service.routes.timing import server_timing, spans

Header = tuple[bytes, bytes]

CHUNK = 1 << 20


def raw(headers: Mapping[str, str]) -> list[Header]:
    """Encode headers as they are sent."""
    return [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]


_OF_ALL_RESULTS = raw(VARY | {"Timing-Allow-Origin": "*"})


class BufferResponse(Response):
    """Sends a buffer in chunks that are views of it: nothing is copied, and a slow client delays the next chunk."""

    def __init__(self, body: Buffer, media_type: str, headers: Iterable[Header], room: Room) -> None:
        super().__init__(None)
        length = b"content-length", b"%d" % len(body)
        self.raw_headers = [*headers, length, (b"content-type", media_type.encode())]
        self._buffer = memoryview(body)
        self._room = room

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        size = len(self._buffer)
        with self._room.answer(size):
            for start in range(0, size or 1, CHUNK):
                chunk = self._buffer[start : start + CHUNK]
                await send({"type": "http.response.body", "body": chunk, "more_body": start + CHUNK < size})


def filtered(result: Result, received: float, exchange: Exchange, room: Room) -> Response:
    """Answer with an image, and note where its time went."""
    total = perf_counter() - received
    exchange.spans = spans(result.timings, total)
    exchange.received, exchange.timings = received, result.timings
    exchange.pixels = result.origin[0] * result.origin[1] if result.origin else None
    headers = [*_OF_ALL_RESULTS, (b"server-timing", server_timing(result.timings, total).encode("latin-1"))]
    for name, size in ((b"origin", result.origin), (b"result", result.size)):
        if size is not None:
            headers += [(b"x-%b-width" % name, b"%d" % size[0]), (b"x-%b-height" % name, b"%d" % size[1])]
    return BufferResponse(result.body, result.media_type, headers, room)
