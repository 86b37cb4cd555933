"""Send spans of every request to an OpenTelemetry collector: the only file that uses opentelemetry, an extra."""

from __future__ import annotations

import asyncio
import os
import time
from importlib.metadata import version

import structlog
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, StatusCode, format_trace_id, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.engine.jobs.timings import Timing
from service.routes.exchange import exchange_of, method_of, route_of

_UNTRACED = frozenset({"/livez", "/readyz", "/metrics"})
_BILLION = 10**9


class Tracing:
    """Gives each request a span, below the caller's if there is a traceparent, and each part of the work a child span.

    The parts ran in a worker, which reports how long each took; their spans are made once the answer is ready.
    """

    def __init__(self, app: ASGIApp, collector: str) -> None:
        self.app = app
        name = os.environ.get("OTEL_SERVICE_NAME", "convserve")
        resource = Resource.create({"service.name": name, "service.version": version("convserve")})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{collector.rstrip('/')}/v1/traces")))
        self._tracer = self._provider.get_tracer("convserve")
        self._propagator = TraceContextTextMapPropagator()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":

            async def flushed(message: Message) -> None:
                if message["type"].startswith("lifespan.shutdown"):  # the server exits as soon as it has this message
                    await asyncio.to_thread(self._provider.shutdown)  # sends the remaining spans
                await send(message)

            await self.app(scope, receive, flushed)
        elif scope["type"] == "http":
            await self._traced(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _traced(self, scope: Scope, receive: Receive, send: Send) -> None:
        caller = self._propagator.extract(dict(Headers(scope=scope)))
        method, begun = method_of(scope), _wall(exchange_of(scope).started)
        span = self._tracer.start_span(method, caller, SpanKind.SERVER, start_time=begun)
        status = 500

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        with structlog.contextvars.bound_contextvars(trace_id=format_trace_id(span.get_span_context().trace_id)):
            try:
                await self.app(scope, receive, watched)
            finally:
                if route_of(scope) not in _UNTRACED:  # a span that never ends is not sent
                    self._describe(span, scope, status)
                    span.end()

    def _describe(self, span: Span, scope: Scope, status: int) -> None:
        exchange, method, route = exchange_of(scope), method_of(scope), route_of(scope)
        span.update_name(f"{method} {route}")
        span.set_attribute("http.request.method", method)
        span.set_attribute("http.route", route)
        span.set_attribute("http.response.status_code", status)
        span.set_attribute("convserve.request_id", exchange.request_id)
        if exchange.pixels is not None:
            span.set_attribute("convserve.pixels", exchange.pixels)
        if exchange.code is not None:
            span.set_attribute("error.type", exchange.code)
        if status >= 500:
            span.set_status(StatusCode.ERROR)
        if exchange.received is None:
            return
        start = exchange.started
        parts = (Timing("receive", "", exchange.received - start), *exchange.timings)
        below = set_span_in_context(span)
        for name, description, seconds in parts:
            part = self._tracer.start_span(name, below, start_time=_wall(start))
            if description:
                part.set_attribute("convserve.step", description)
            start += seconds
            part.end(_wall(start))


def _wall(moment: float) -> int:
    """Turn a `time.perf_counter()` into nanoseconds since 1970."""
    return time.time_ns() - round((time.perf_counter() - moment) * _BILLION)
