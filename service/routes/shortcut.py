"""A shortcut to the busiest routes: the framework's routing takes longer than filtering a small picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from service.routes import problems
from service.routes.query import is_short


class Way(NamedTuple):
    """A route, and the parts of its path; the endpoint takes the request and these parts and returns a response."""

    route: APIRoute
    parts: Mapping[str, Any]


class Shortcut:
    """Calls the endpoint of a POST to one of the paths in `ways`, unless its query is long; all else is routed."""

    def __init__(self, app: ASGIApp, ways: Mapping[str, Way]) -> None:
        self.app = app
        self._ways = ways

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        way = self._way(scope) if scope["type"] == "http" and scope["method"] == "POST" else None
        if way is None:
            await self.app(scope, receive, send)
            return
        scope["route"] = way.route
        request = Request(scope, receive, send)
        try:
            response = await way.route.endpoint(request, **way.parts)
        except problems.EXPECTED as error:
            response = await problems.answer(request, error)
        await response(scope, receive, send)

    def _way(self, scope: Scope) -> Way | None:
        path: str = scope["path"]
        way = self._ways.get(path.removeprefix(scope.get("root_path", "")))
        return way if is_short(scope["query_string"]) else None
