"""Every way in which a route refuses a request before the engine has seen it.

RouteError
├── MalformedMultipart
├── Unauthorized
├── NotFound
├── MethodNotAllowed
├── NotAcceptable
├── RequestTimeout            a body that comes too slowly
├── BodyTooLarge              announced or sent
├── UnsupportedMediaType
├── InvalidParameter          a path or query parameter
└── NotReady                  the answer of /readyz alone

ClientGone stands apart: nobody is left to answer.
"""

from __future__ import annotations

from collections.abc import Mapping

from service.engine.errors import Fault


class RouteError(Exception):
    """The root of the tree; `headers` go into the answer."""

    def __init__(self, detail: str, headers: Mapping[str, str] | None = None, faults: tuple[Fault, ...] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.headers = dict(headers or {})
        self.faults = faults


class MalformedMultipart(RouteError):
    pass


class Unauthorized(RouteError):
    pass


class NotFound(RouteError):
    pass


class MethodNotAllowed(RouteError):
    pass


class NotAcceptable(RouteError):
    pass


class RequestTimeout(RouteError):
    """`rest` is how much more of the body may be taken in while the answer is on its way."""

    rest = 1 << 20


class BodyTooLarge(RouteError):
    """`rest` is how much more of the body may be taken in while the answer is on its way."""

    def __init__(self, detail: str, rest: int) -> None:
        super().__init__(detail)
        self.rest = rest


class UnsupportedMediaType(RouteError):
    pass


class InvalidParameter(RouteError):
    pass


class NotReady(RouteError):
    pass


class ClientGone(Exception):
    """The client closed the connection while its request was being read or processed."""
