"""Check who may call, and set headers that restrict browsers."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Iterator

from pydantic import SecretStr
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from service.routes.errors import Unauthorized
from service.routes.problems import problem

CHALLENGE = {"WWW-Authenticate": 'Bearer realm="convserve"'}
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
_CLOSED = ("/v1", "/metrics")


class ApiKeys:
    """Requires a key for every path under /v1 and /metrics, whether or not the route exists."""

    def __init__(self, app: ASGIApp, keys: Iterable[SecretStr]) -> None:
        self.app = app
        self._digests = [_digest(key.get_secret_value()) for key in keys]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and _closed(scope) and not self._known(Headers(scope=scope)):
            error = Unauthorized("the request has no valid API key", CHALLENGE)
            await problem(scope, error)(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def _known(self, headers: Headers) -> bool:
        """Compare every key given with every valid key, always all of them, so timing reveals nothing."""
        matches = [hmac.compare_digest(_digest(key), known) for key in _given(headers) for known in self._digests]
        return any(matches)


def _closed(scope: Scope) -> bool:
    """Check the path with and without the proxy's prefix, as the router accepts both."""
    path = str(scope["path"])
    stripped = path.removeprefix(str(scope.get("root_path", "")))
    return any(given == closed or given.startswith(closed + "/") for given in (path, stripped) for closed in _CLOSED)


def _given(headers: Headers) -> Iterator[str]:
    scheme, _, token = headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        yield token.strip()
    if "X-API-Key" in headers:
        yield headers["X-API-Key"].strip()


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
