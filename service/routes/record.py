"""The outermost layer: begin the record of each request, and add the common headers to every answer."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.routes.exchange import CLIENT_CLOSED_REQUEST, begin
from service.routes.line import line_of
from service.routes.turns import Turns

HEADER = "X-Request-ID"
_NAME = HEADER.lower().encode()
_FORM = re.compile(r"[A-Za-z0-9_-]{1,128}")


class Recorded:
    """Records every exchange, and adds X-Request-ID and those of `headers` that an answer does not set itself.

    The id is the client's own if it has a harmless form, otherwise a fresh one. All this is one layer, because passing
    every message through a layer costs more than the work done there.
    """

    def __init__(self, app: ASGIApp, headers: Mapping[str, str]) -> None:
        self.app = app
        self._turns = Turns()
        self._headers = [(name.lower().encode(), value.encode()) for name, value in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        exchange = begin(scope, _request_id(scope))
        line = line_of(scope)
        if scope["method"] == "POST":  # other requests are brief
            await self._turns.take()

        async def noted() -> Message:
            message = await receive()
            exchange.bytes_in += len(message.get("body", b""))
            return message

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                own = message.get("headers", [])
                brought = {name for name, _ in own}
                added = [header for header in self._headers if header[0] not in brought]
                message["headers"] = [*own, *added, (_NAME, exchange.request_id.encode())]
            else:
                exchange.bytes_out += len(message.get("body", b""))
            await send(message)
            if line and message["type"] == "http.response.body" and not message.get("more_body", False):
                taken = await line.settled()
                if taken is not None and taken < exchange.bytes_out:
                    exchange.bytes_out, exchange.status = taken, CLIENT_CLOSED_REQUEST

        await self.app(scope, noted, marked)


def _request_id(scope: Scope) -> str:
    given = next((value.decode("latin-1") for name, value in scope["headers"] if name == _NAME), "")
    return given if _FORM.fullmatch(given) else secrets.token_hex(16)
