"""The answer to a request whose body will not be read: the last one on its connection."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

MOST_SECONDS = 5.0


class LastAnswer(Response):
    """Sends the whole answer, waits for the client to stop sending, then has the connection closed.

    Closing at once, with bytes unread, would reset the connection, and a client that sends everything before it reads
    would lose the answer. Meanwhile up to `rest` bytes are read and discarded (compare nginx, lingering_close).
    """

    def __init__(self, body: bytes, status: int, headers: Mapping[str, str], media_type: str, *, rest: int) -> None:
        super().__init__(body, status, {**headers, "Connection": "close"}, media_type)
        self._rest = rest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        if Headers(scope=scope).get("Expect", "").lower() != "100-continue":  # such a client has not begun sending
            with suppress(TimeoutError):
                async with asyncio.timeout(MOST_SECONDS):
                    await _drain(receive, self._rest)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _drain(receive: Receive, most: int) -> None:
    size = 0
    while size < most:
        message = await receive()
        size += len(message.get("body", b""))
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            return
