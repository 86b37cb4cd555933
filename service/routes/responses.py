"""A worker's result as an HTTP answer."""

from __future__ import annotations

from time import perf_counter

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from service.engine.jobs import Buffer, Result
from service.routes.exchange import Exchange
from service.routes.negotiation import VARY
from service.routes.room import Room
from service.routes.timing import server_timing, spans

CHUNK = 1 << 20


class BufferResponse(Response):
    """Sends a buffer in chunks that are views of it: nothing is copied, and a slow client holds back the next chunk."""

    def __init__(self, body: Buffer, media_type: str, headers: dict[str, str], room: Room) -> None:
        super().__init__(b"", headers={**headers, "Content-Length": str(len(body))}, media_type=media_type)
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
    headers = VARY | {"Server-Timing": server_timing(result.timings, total), "Timing-Allow-Origin": "*"}
    for name, size in (("Origin", result.origin), ("Result", result.size)):
        if size is not None:
            headers |= {f"X-{name}-Width": str(size[0]), f"X-{name}-Height": str(size[1])}
    return BufferResponse(result.body, result.media_type, headers, room)
