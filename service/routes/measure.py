"""Counts and times every request, for /metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Receive, Scope, Send

from service.dispatch import Status
from service.dispatch.board import Seat
from service.routes.counted import Processes, Servers, Told, count_together
from service.routes.exchange import Exchange, exchange_of, method_of, route_of

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """The metrics of the whole service; `status` is called at each reading.

    One server of several counts in its own files in the folder `counters`, and sums up those of all servers. If it is
    killed, the server that takes its seat continues its files.
    """

    def __init__(self, status: Callable[[], Status], seat: Seat | None = None, counters: Path | None = None) -> None:
        seat = seat or Seat.alone()
        self._registry = CollectorRegistry()
        self._registry.register(_Workers(status))
        self._registry.register(Servers(seat))
        self._told: Told | None = None
        if counters is None:
            own = self._registry
            ProcessCollector(registry=own)
        else:
            own = CollectorRegistry()
            self._told = count_together(counters, seat, self._registry)
            self._registry.register(Processes(seat))
        requests = Counter("convserve_requests", "Requests answered.", ("route", "method", "status"), registry=own)
        durations = Histogram(
            "convserve_request_duration_seconds",
            "Seconds from the request's first byte to the answer's last.",
            ("route",),
            buckets=_SECONDS,
            registry=own,
        )
        spans = Histogram(
            "convserve_span_duration_seconds",
            "Seconds of each part of a filter request; every step counts as 'step'.",
            ("span",),
            buckets=_SECONDS,
            registry=own,
        )
        read = Counter("convserve_bytes_in", "Bytes of request bodies received.", ("route",), registry=own)
        sent = Counter("convserve_bytes_out", "Bytes of response bodies sent.", ("route",), registry=own)
        refusals = Counter("convserve_refusals", "Requests refused, by problem code.", ("code",), registry=own)
        self._requests, self._durations = cache(requests.labels), cache(durations.labels)
        self._read, self._sent = cache(read.labels), cache(sent.labels)
        self._spans, self._refusals = cache(spans.labels), cache(refusals.labels)

    def registry(self) -> CollectorRegistry:
        """Give what is to be read, with all that this server has counted."""
        if self._told:
            self._told.now()
        return self._registry

    def count(self, route: str, method: str, status: int, exchange: Exchange) -> None:
        self._requests(route, method, str(status)).inc()
        self._durations(route).observe(exchange.elapsed)
        self._read(route).inc(exchange.bytes_in)
        self._sent(route).inc(exchange.bytes_out)
        for name, seconds in exchange.spans.items():
            self._spans("step" if name.startswith("step-") else name).observe(seconds)
        if exchange.code is not None:
            self._refusals(exchange.code).inc()
        if self._told:
            self._told.soon()


class _Workers(Collector):
    def __init__(self, status: Callable[[], Status]) -> None:
        self._status = status

    def collect(self) -> Iterable[Metric]:
        status = self._status()
        yield GaugeMetricFamily("convserve_jobs_running", "Jobs that are running in a worker.", status.running)
        yield GaugeMetricFamily("convserve_jobs_queued", "Jobs waiting for a worker.", status.queued)
        yield GaugeMetricFamily(
            "convserve_expected_wait_seconds",
            "Seconds that a job arriving now is expected to wait.",
            status.expected_wait,
        )
        yield GaugeMetricFamily("convserve_workers", "Worker processes that are up.", status.workers)
        if status.engine:
            yield GaugeMetricFamily(
                "convserve_compiled_ratio",
                "Share of the compiled loops that every worker uses.",
                status.engine.compiled,
            )
        restarts = CounterMetricFamily("convserve_worker_restarts", "Workers replaced.", labels=("reason",))
        for reason, count in status.restarts.items():
            restarts.add_metric((reason,), count)
        yield restarts

    def describe(self) -> Iterable[Metric]:
        return ()


class Measure:
    """Measures every request. An answer that never began counts as 500: the server gives it that status."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        try:
            await self.app(scope, receive, send)
        finally:
            exchange = exchange_of(scope)
            self._metrics.count(route_of(scope), method_of(scope), exchange.status or 500, exchange)
