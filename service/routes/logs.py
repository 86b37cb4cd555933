"""Log lines: one JSON object each, or coloured text; one line a request, the server's own in the same form."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Mapping, MutableMapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Literal

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from service.routes.exchange import exchange_of, method_of, route_of

_UNLOGGED = frozenset({"/livez", "/readyz"})
_OF_SEVERAL_LINES = frozenset({"exception", "report", "stack"})

_NAME = "service.requests"

_ByHand = Callable[[Mapping[str, Any], str], str]

_log = structlog.stdlib.get_logger(_NAME)


def configure_logs(level: str, form: Literal["console", "json"]) -> None:
    """Give every line of the process one form, also those of libraries; call once, before the server starts."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, *_written(form)],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=_Loggers(_by_hand(level, form)),
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
        logger.propagate = name != "uvicorn.access"  # its lines have the raw path; ours tell more
    logging.getLogger("python_multipart").setLevel(logging.ERROR)  # it warns of every malformed body


class _Lines:
    """Writes lines to standard error. Half of what a line costs by way of the standard library's logging."""

    def __init__(self, name: str = "") -> None:
        self.name = name

    def msg(self, line: str) -> None:
        with suppress(OSError, ValueError):  # nobody reads it any more
            sys.stderr.write(f"{line}\n")
            sys.stderr.flush()

    debug = info = warning = error = critical = exception = msg


class _Loggers:
    """Makes loggers; `by_hand` gives the line of a request and a time as text."""

    def __init__(self, by_hand: _ByHand | None) -> None:
        self.by_hand = by_hand

    def __call__(self, name: str = "") -> _Lines:
        return _Lines(name)


def _by_hand(level: str, form: Literal["console", "json"]) -> _ByHand | None:
    if level not in {"debug", "info"} or (form == "console" and sys.stderr.isatty()):  # not written, or coloured
        return None
    return _json_line if form == "json" else _console_line


class RequestLog:
    """Writes one line a request, but for the probes."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        try:
            await self.app(scope, receive, send)
        finally:
            if route_of(scope) not in _UNLOGGED:
                _write(_line(scope))


def _line(scope: Scope) -> dict[str, Any]:
    exchange = exchange_of(scope)
    line: dict[str, Any] = {"bytes_in": exchange.bytes_in, "bytes_out": exchange.bytes_out}
    if exchange.code is not None:
        line["code"] = exchange.code
    line["method"] = method_of(scope)
    if exchange.pixels is not None:
        line["pixels"] = exchange.pixels
    line["request_id"] = exchange.request_id
    line["route"] = route_of(scope)
    line["seconds"] = round(exchange.elapsed, 6)
    line["spans"] = {name: round(seconds, 6) for name, seconds in exchange.spans.items()}
    line["status"] = exchange.status
    return line


def _write(line: dict[str, Any]) -> None:
    """Write the line of a request by hand, where that gives what the configured processors would, which take longer."""
    factory = structlog.get_config()["logger_factory"]
    if isinstance(factory, _Loggers) and factory.by_hand:
        line |= structlog.contextvars.get_contextvars()
        _Lines().msg(factory.by_hand(line, f"{datetime.now(UTC).isoformat()[:-6]}Z"))
    else:
        _log.info("request", **line)


def _console_line(line: Mapping[str, Any], timestamp: str) -> str:
    pairs = " ".join([f"{name}={value}" for name, value in line.items()])  # none of them needs quotes
    return f"{timestamp} [info     ] request                        [{_NAME}] {pairs}"


def _json_line(line: Mapping[str, Any], timestamp: str) -> str:
    return json.dumps({**line, "event": "request", "level": "info", "logger": _NAME, "timestamp": timestamp})


def _written(form: Literal["console", "json"]) -> list[Any]:
    if form == "json":
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(default=str)]
    console = structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
    )
    return [structlog.processors.format_exc_info, _printable, console]


def _without_colour_codes(logger: Any, name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:  # noqa: ARG001
    event.pop("color_message", None)  # uvicorn's second copy of its message
    return event


def _printable(logger: Any, name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:  # noqa: ARG001
    """Take out control characters, with which a client could write lines or colours of its own; JSON escapes them."""
    return {key: _clean(key, value) if isinstance(value, str) else value for key, value in event.items()}


def _clean(key: str, text: str) -> str:
    if text.isprintable():
        return text
    spared = "\n\t" if key in _OF_SEVERAL_LINES else ""
    return "".join(c if c.isprintable() or c in spared else "\N{REPLACEMENT CHARACTER}" for c in text)
