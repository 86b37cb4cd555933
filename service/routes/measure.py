"""Counts and times every request, for /metrics."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import cache
from itertools import accumulate

from prometheus_client import CollectorRegistry, Counter, ProcessCollector
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString
from starlette.types import ASGIApp, Receive, Scope, Send

from service.dispatch import Status
from service.routes.exchange import Exchange, exchange_of, method_of, route_of

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """What /metrics tells; `status` is asked at each reading."""

    def __init__(self, status: Callable[[], Status]) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.registry.register(_Workers(status))
        requests = Counter(
            "convserve_requests", "Requests answered.", ("route", "method", "status"), registry=self.registry
        )
        self._durations = _Durations(
            "convserve_request_duration_seconds", "From the request's first byte to the answer's last.", "route"
        )
        self._spans = _Durations(
            "convserve_span_duration_seconds", "Parts of a filter request; all steps are one span.", "span"
        )
        self.registry.register(self._durations)
        self.registry.register(self._spans)
        refusals = Counter("convserve_refusals", "Problems answered.", ("code",), registry=self.registry)
        self._requests, self._refusals = cache(requests.labels), cache(refusals.labels)

    def count(self, route: str, method: str, status: int, exchange: Exchange) -> None:
        self._requests(route, method, str(status)).inc()
        self._durations.observe(route, exchange.elapsed)
        for name, seconds in exchange.spans.items():
            self._spans.observe("step" if name.startswith("step-") else name, seconds)
        if exchange.code is not None:
            self._refusals(exchange.code).inc()


class _Durations(Collector):
    """A histogram for each value of one label.

    The library's own locks each of its numbers, for other threads; here is none, and a request has seven of them.
    """

    def __init__(self, name: str, about: str, label: str) -> None:
        self._name, self._about, self._label = name, about, label
        self._counts: dict[str, list[int]] = {}
        self._sums: defaultdict[str, float] = defaultdict(float)

    def observe(self, value: str, seconds: float) -> None:
        counts = self._counts.setdefault(value, [0] * (len(_SECONDS) + 1))
        counts[bisect_left(_SECONDS, seconds)] += 1
        self._sums[value] += seconds

    def collect(self) -> Iterable[Metric]:
        family = HistogramMetricFamily(self._name, self._about, labels=(self._label,))
        bounds = [*map(floatToGoString, _SECONDS), "+Inf"]
        for value, counts in self._counts.items():
            family.add_metric((value,), list(zip(bounds, accumulate(counts), strict=True)), self._sums[value])
        yield family

    def describe(self) -> Iterable[Metric]:
        return ()


class _Workers(Collector):
    def __init__(self, status: Callable[[], Status]) -> None:
        self._status = status

    def collect(self) -> Iterable[Metric]:
        status = self._status()
        yield GaugeMetricFamily("convserve_jobs_running", "Jobs that a worker is doing.", status.running)
        yield GaugeMetricFamily("convserve_jobs_queued", "Jobs that wait for a worker.", status.queued)
        yield GaugeMetricFamily("convserve_workers", "Workers that are there.", status.workers)
        restarts = CounterMetricFamily("convserve_worker_restarts", "Workers replaced.", labels=("reason",))
        for reason, count in status.restarts.items():
            restarts.add_metric((reason,), count)
        yield restarts

    def describe(self) -> Iterable[Metric]:
        return ()


class Measure:
    """An answer that was never begun counts as 500: the server gives it that status."""

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
