"""Keep long queries from the framework, which parses each query in the event loop for every route, needed or not."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from service.routes.errors import InvalidParameter
from service.routes.problems import problem

MOST_PARAMETERS = 100
LONG = 8 * 1024
_KEY = "convserve.query"


def is_short(query: bytes) -> bool:
    """Tell whether a query may be left to the framework, however often that parses it."""
    return len(query) <= LONG and query.count(b"&") < MOST_PARAMETERS


class LongQuery:
    """Refuses too many parameters, and sets a long query aside for `query_of`."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            query: bytes = scope["query_string"]
            if query.count(b"&") >= MOST_PARAMETERS:
                error = InvalidParameter(f"the query has more than {MOST_PARAMETERS} parameters")
                await problem(scope, error)(scope, receive, send)
                return
            if len(query) > LONG:
                scope[_KEY] = query
                scope["query_string"] = b""
        await self.app(scope, receive, send)


def query_of(scope: Scope) -> bytes:
    """Return the query as received, still encoded."""
    query: bytes = scope.get(_KEY) or scope["query_string"]
    return query
