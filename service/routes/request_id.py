"""X-Request-ID on every answer: the client's own if it has a harmless form, otherwise a fresh one."""

from __future__ import annotations

import re
import uuid

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.routes.exchange import begin

HEADER = "X-Request-ID"
_FORM = re.compile(r"[A-Za-z0-9_-]{1,128}")


class RequestId:
    """Begins the record of the request."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = Headers(scope=scope).get(HEADER, "")
        exchange = begin(scope, given if _FORM.fullmatch(given) else uuid.uuid4().hex)

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[HEADER] = exchange.request_id
            await send(message)

        await self.app(scope, receive, send_with_id)
