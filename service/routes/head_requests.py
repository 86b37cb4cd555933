"""Answer HEAD wherever GET is answered: the same headers, no body."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class HeadAsGet:
    """Turns HEAD into GET, as the framework's routes accept only that, and withholds the body."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return

        async def send_headers(message: Message) -> None:
            body = message["type"] == "http.response.body"
            await send({**message, "body": b""} if body else message)

        # a copy: the server's own scope tells it whether the answer has a body
        inner = {**scope, "method": "GET"}
        try:
            await self.app(inner, receive, send_headers)
        finally:
            if "route" in inner:
                scope["route"] = inner["route"]
