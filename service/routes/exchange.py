"""Facts about a request, collected for the answer's headers, the log line and the metrics."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from starlette.types import Scope

from service.engine.jobs.timings import Timing

_KEY = "convserve.exchange"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})

UNMATCHED = "unmatched"
CLIENT_CLOSED_REQUEST = 499
"""nginx's status for a client that left before its answer; it appears only in the log and the metrics."""


@dataclass(slots=True)
class Exchange:
    """One request and its answer; `spans` are seconds by part, `code` is the refusal's.

    `status` is 0 until the answer begins; `bytes_in` counts the body received, `bytes_out` the body that the connection
    took.

    `received` is when the request had been read (`time.perf_counter()`), `timings` are the parts of the work after
    that, `pixels` are those of the input image.
    """

    request_id: str
    started: float = field(default_factory=perf_counter)
    spans: dict[str, float] = field(default_factory=dict)
    code: str | None = None
    received: float | None = None
    timings: tuple[Timing, ...] = ()
    pixels: int | None = None
    status: int = 0
    bytes_in: int = 0
    bytes_out: int = 0

    @property
    def elapsed(self) -> float:
        return perf_counter() - self.started


def begin(scope: MutableMapping[str, Any], request_id: str) -> Exchange:
    exchange = Exchange(request_id)
    scope[_KEY] = exchange
    return exchange


def exchange_of(scope: Scope) -> Exchange:
    """Return the record of a request; a request without one gets a record without an id."""
    found = scope.get(_KEY)
    return found if isinstance(found, Exchange) else begin(scope, "")


def route_of(scope: Scope) -> str:
    """Return the template of the route that answered, never the raw path: a client could invent endless paths."""
    path = getattr(scope.get("route"), "path", None)
    return path if isinstance(path, str) and path else UNMATCHED


def method_of(scope: Scope) -> str:
    method = str(scope["method"])
    return method if method in _METHODS else "OTHER"
