"""Cross-origin requests (Fetch standard): closed unless CONVSERVE_ALLOW_ORIGINS opens the service to an origin."""

from __future__ import annotations

from collections.abc import Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

EXPOSED = "Server-Timing, X-Request-ID, X-Origin-Width, X-Origin-Height, X-Result-Width, X-Result-Height, Retry-After"
_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, HEAD, POST",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, X-API-Key, X-Request-ID",
    "Access-Control-Max-Age": "600",
}


class CrossOrigin:
    """Answers preflights of allowed origins and marks every answer to them; other origins see no difference."""

    def __init__(self, app: ASGIApp, origins: Collection[str]) -> None:
        self.app = app
        self._origins = frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        allowed = self._allowed(headers.get("Origin"))

        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer = MutableHeaders(scope=message)
                answer.add_vary_header("Origin")
                if allowed:
                    answer["Access-Control-Allow-Origin"] = allowed
                    answer["Access-Control-Expose-Headers"] = EXPOSED
            await send(message)

        preflight = scope["method"] == "OPTIONS" and "Access-Control-Request-Method" in headers
        app = Response(status_code=204, headers=_PREFLIGHT) if allowed and preflight else self.app
        await app(scope, receive, send_marked)

    def _allowed(self, origin: str | None) -> str | None:
        if origin is None:
            return None
        if "*" in self._origins:
            return "*"
        return origin if origin in self._origins else None
