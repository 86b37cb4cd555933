"""Answer every refusal as application/problem+json (RFC 9457), whatever `Accept` says; no internals leak."""

from __future__ import annotations

import json
import math
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, cast
from urllib.parse import quote

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from service.dispatch import errors as dispatch
from service.engine.errors import EngineError, Fault
from service.routes import errors
from service.routes.exchange import CLIENT_CLOSED_REQUEST, exchange_of
from service.routes.last_answer import LastAnswer
from service.routes.problem_table import Kind, kind_of

MEDIA_TYPE = "application/problem+json"

_CRASHED = "the worker process broke down over this request's image"
_DEFECT = "an unforeseen error; the request_id leads to it in the service's log"

_log = structlog.stdlib.get_logger("service.problems")


def problem(scope: Scope, error: Exception) -> Response:
    """Answer an error by the table; an error that is not in the table is a defect, and its message is not shown."""
    kind = kind_of(error)
    exchange_of(scope).code = kind.code
    body = _document(scope, kind, _detail(error), _faults(error))
    headers = _headers(error)
    if isinstance(error, errors.BodyTooLarge | errors.RequestTimeout):
        return LastAnswer(body, kind.status, headers, MEDIA_TYPE, rest=error.rest)
    return Response(body, kind.status, headers, MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Register one handler for each family of errors."""
    for family, handler in _HANDLERS.items():
        app.add_exception_handler(family, handler)


async def answer(request: Request, error: Exception) -> Response:
    """Answer an error of a family in `EXPECTED`; this is the framework's error handler."""
    handler = next(_HANDLERS[family] for family in type(error).__mro__ if family in _HANDLERS)
    return await handler(request, error)


class Unforeseen:
    """Answers errors that no handler foresaw, inside the layers that every answer passes through."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        try:
            await self.app(scope, receive, send)
        except Exception as error:
            exchange = exchange_of(scope)
            if exchange.status:  # the server cuts the connection, so half an answer is not taken for a whole one
                raise
            _log.exception("unforeseen error", request_id=exchange.request_id)
            await problem(scope, error)(scope, receive, send)


async def _refuse(request: Request, error: Exception) -> Response:
    if isinstance(error, dispatch.JobFailed):
        _log.error(
            "unforeseen error in a worker", request_id=exchange_of(request.scope).request_id, report=error.report
        )
    return problem(request.scope, error)


async def _gone(request: Request, error: Exception) -> Response:  # noqa: ARG001
    return Response(status_code=CLIENT_CLOSED_REQUEST)


async def _http(request: Request, error: Exception) -> Response:
    return problem(request.scope, _own(request, cast(HTTPException, error)))


async def _invalid_parameter(request: Request, error: Exception) -> Response:
    """Name the faulty parameters; the validator's messages are a library's text and not shown."""
    places = [fault["loc"] for fault in cast(RequestValidationError, error).errors()]
    pointers = dict.fromkeys("".join(f"/{_token(level)}" for level in place) for place in places)
    faults = tuple(Fault(pointer, "the value is invalid") for pointer in pointers)
    names = ", ".join(pointers)
    return problem(request.scope, errors.InvalidParameter(f"a parameter has an invalid value: {names}", faults=faults))


_HANDLERS: dict[type[Exception], Callable[[Request, Any], Awaitable[Response]]] = {
    EngineError: _refuse,
    errors.RouteError: _refuse,
    dispatch.DispatchError: _refuse,
    RequestValidationError: _invalid_parameter,
    HTTPException: _http,
    errors.ClientGone: _gone,
}
EXPECTED = tuple(_HANDLERS)


def _own(request: Request, error: HTTPException) -> Exception:
    """Turn the framework's errors into ours, without their text."""
    if error.status_code == 405:
        allowed = _allowed((error.headers or {}).get("Allow", ""))
        detail = f"{request.method[:32]} is not served here, only {allowed}"
        return errors.MethodNotAllowed(detail, {"Allow": allowed} if allowed else {})
    if error.status_code == 404:
        return errors.NotFound("there is nothing at this address")
    _log.error("an error of the framework without a problem of its own", status=error.status_code)
    return error


def _allowed(header: str) -> str:
    """Sort the methods, adding HEAD, which is answered wherever GET is."""
    methods = {method.strip() for method in header.split(",") if method.strip()}
    return ", ".join(sorted(methods | ({"HEAD"} if "GET" in methods else set())))


def _detail(error: Exception) -> str:
    match error:
        case dispatch.WorkerCrashed():
            return _CRASHED
        case dispatch.JobFailed():
            return _DEFECT
        case EngineError() | dispatch.DispatchError() | errors.RouteError():
            return error.detail
        case _:
            return _DEFECT


def _faults(error: Exception) -> tuple[Fault, ...]:
    return error.faults if isinstance(error, EngineError | errors.RouteError) else ()


def _headers(error: Exception) -> Mapping[str, str]:
    match error:
        case errors.RouteError():
            return error.headers
        case dispatch.Refused():
            return {"Retry-After": str(max(1, math.ceil(error.retry_after)))}
        case _:
            return {}


def _document(scope: Scope, kind: Kind, detail: str, faults: Iterable[Fault]) -> bytes:
    root = str(scope.get("root_path", "")).rstrip("/")
    document: dict[str, Any] = {
        "type": f"{root}/problems/{kind.code}",
        "title": kind.title,
        "status": kind.status,
        "detail": detail,
        "instance": quote(str(scope["path"]), safe="/:@!$&'()*+,;=~-._", errors="replace"),
        "code": kind.code,
        "request_id": exchange_of(scope).request_id,
    }
    listed = [{"pointer": fault.pointer, "detail": fault.detail} for fault in faults]
    if listed:
        document["errors"] = listed
    # a lone surrogate from the client has no UTF-8 and becomes a question mark
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _token(part: object) -> str:
    return str(part).replace("~", "~0").replace("/", "~1")
