"""Log lines: a JSON object each, or coloured text; one line per request, and the server's own in the same form."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from typing import Any, Literal

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from service.routes.exchange import exchange_of, method_of, route_of

_UNLOGGED = frozenset({"/livez", "/readyz"})
_FIRST = ("timestamp", "level", "event")
_OF_SEVERAL_LINES = frozenset({"exception", "report", "stack"})

_log = structlog.stdlib.get_logger("service.requests")


def configure_logs(level: str, form: Literal["console", "json"], server: int | None = None) -> None:
    """Set the form of all log lines of the process, including those of libraries; call before the server starts.

    `server` is the number of one server of several; its lines then carry the number.
    """
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        *([] if server is None else [_Numbered(server)]),
    ]
    structlog.configure(
        processors=[*shared, *_written(form)],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=_Lines,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder(), _without_colour_codes],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_written(form)],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.captureWarnings(capture=True)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.setLevel(logging.NOTSET)
        logger.propagate = name != "uvicorn.access"  # its lines contain the raw path; ours tell more


class _Lines:
    """Writes lines to standard error, at half the cost of the standard library's logging."""

    def __init__(self, name: str = "") -> None:
        self.name = name

    def msg(self, line: str) -> None:
        with suppress(OSError, ValueError):  # the reader has gone
            sys.stderr.write(f"{line}\n")
            sys.stderr.flush()

    debug = info = warning = error = critical = exception = msg


class RequestLog:
    """Writes one line per request, except for probes."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._log = _log.bind()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        try:
            await self.app(scope, receive, send)
        finally:
            if route_of(scope) not in _UNLOGGED:
                self._log.info("request", **_line(scope))


def _line(scope: Scope) -> Mapping[str, Any]:
    exchange = exchange_of(scope)
    line: dict[str, Any] = {
        "request_id": exchange.request_id,
        "route": route_of(scope),
        "method": method_of(scope),
        "status": exchange.status,
        "seconds": round(exchange.elapsed, 6),
        "spans": {name: round(seconds, 6) for name, seconds in exchange.spans.items()},
    }
    if exchange.code is not None:
        line["code"] = exchange.code
    if exchange.pixels is not None:
        line["pixels"] = exchange.pixels
    line["bytes_in"], line["bytes_out"] = exchange.bytes_in, exchange.bytes_out
    return line


def _written(form: Literal["console", "json"]) -> list[Any]:
    if form == "json":
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(default=str)]
    if sys.stderr.isatty():
        coloured = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        return [structlog.processors.format_exc_info, _printable, coloured]
    return [structlog.processors.format_exc_info, names_and_values]


def names_and_values(logger: Any, name: str, event: MutableMapping[str, Any]) -> str:  # noqa: ARG001
    """Write a line of printable texts as structlog's KeyValueRenderer would, in a third of the time."""
    first = {key: event[key] for key in _FIRST if key in event}
    return " ".join(
        [
            f"{key}={_clean(key, value) if isinstance(value, str) else repr(value)}"
            for key, value in {**first, **event}.items()
        ]
    )


class _Numbered:
    """Adds the number of the server to its lines."""

    def __init__(self, server: int) -> None:
        self._server = server

    def __call__(self, logger: Any, name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:  # noqa: ARG002
        event["server"] = self._server
        return event


def _without_colour_codes(logger: Any, name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:  # noqa: ARG001
    event.pop("color_message", None)  # uvicorn's second copy of its message
    return event


def _printable(logger: Any, name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:  # noqa: ARG001
    """Remove control characters: a client could write lines or colours with them. JSON escapes them."""
    return {key: _clean(key, value) if isinstance(value, str) else value for key, value in event.items()}


def _clean(key: str, text: str) -> str:
    if text.isprintable():
        return text
    spared = "\n\t" if key in _OF_SEVERAL_LINES else ""
    return "".join(c if c.isprintable() or c in spared else "\N{REPLACEMENT CHARACTER}" for c in text)
