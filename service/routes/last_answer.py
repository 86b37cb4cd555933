"""The answer to a request whose body is not going to be read: the last one on its connection."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

MOST_BYTES = 2**20
MOST_SECONDS = 1.0


class LastAnswer(Response):
    """Sends the whole answer, lets the client stop sending, then has the connection closed.

    Closing at once, with bytes unread, would reset the connection, and the client might lose the answer. What is taken
    in meanwhile is thrown away, and bounded (compare nginx, lingering_close).
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        self.headers["Connection"] = "close"
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        with suppress(TimeoutError):
            async with asyncio.timeout(MOST_SECONDS):
                await _drain(receive)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _drain(receive: Receive) -> None:
    size = 0
    while size < MOST_BYTES:
        message = await receive()
        size += len(message.get("body", b""))
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            return
