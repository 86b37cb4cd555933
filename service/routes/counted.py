"""Combine the counts of several servers: the library's mode for several processes, and what that mode lacks."""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector, values
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from service.dispatch.board import Seat

MILLION = 1_000_000
TOLD_SECONDS = 0.05
"""Within which the other servers see what this one has counted."""


class Told:
    """What a server has counted and not yet told: to write some twenty values at every request is dear."""

    def __init__(self) -> None:
        self._grown: list[Any] = []
        self._timer: asyncio.TimerHandle | None = None

    def soon(self) -> None:
        """Tell it in a moment, together with what is counted until then; in the event loop."""
        if not self._timer:
            self._timer = asyncio.get_running_loop().call_later(TOLD_SECONDS, self.now)

    def now(self) -> None:
        """Tell it."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
        for value in self._grown:
            value.tell()
        self._grown.clear()

    def values(self, written: Any) -> Any:
        """Make of the library's class of values, each written as it grows, one of values that wait to be told."""
        grown = self._grown

        class Value(written):  # type: ignore[misc]
            def __init__(self, *args: Any, **kwargs: Any) -> None:
                super().__init__(*args, **kwargs)
                self._more = 0.0

            def inc(self, amount: float) -> None:
                if not self._more:
                    grown.append(self)
                self._more += amount

            def tell(self) -> None:
                super().inc(self._more)
                self._more = 0.0

        return Value


def count_together(folder: Path, seat: Seat, registry: CollectorRegistry) -> Told:
    """Let this process count in files of `folder` from now on, and `registry` give the sums of all that do.

    The files are named by seat, not by process: the server that takes the seat of a killed one continues its files, so
    no sum shrinks.
    """
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
    told = Told()
    values.ValueClass = told.values(values.MultiProcessValue(lambda: seat.number))  # type: ignore[no-untyped-call]
    MultiProcessCollector(registry, str(folder))  # type: ignore[no-untyped-call]
    return told


class Servers(Collector):
    """The number of servers, and the connections of each."""

    def __init__(self, seat: Seat) -> None:
        self._seat = seat

    def collect(self) -> Iterable[Metric]:
        board = self._seat.board
        there = sum(row is self._seat.row or row.process > 0 for row in board.rows)
        yield GaugeMetricFamily("convserve_servers", "Server processes that are up.", there)
        yield CounterMetricFamily("convserve_server_restarts", "Servers replaced.", board.replaced)
        connections = GaugeMetricFamily("convserve_connections", "Open connections.", labels=("server",))
        for number, row in enumerate(board.rows):
            connections.add_metric((str(number),), row.connections)
        yield connections

    def describe(self) -> Iterable[Metric]:
        return ()


class Processes(Collector):
    """The standard figures of a process, for all servers together."""

    def __init__(self, seat: Seat) -> None:
        self._seat = seat

    def collect(self) -> Iterable[Metric]:
        found: dict[str, list[Metric]] = defaultdict(list)
        for row in self._seat.board.rows:
            for metric in _figures(row.process) if row.process else ():
                found[metric.name].append(metric)
        for name, metrics in found.items():
            numbers = [metric.samples[0].value for metric in metrics]
            total = min(numbers) if name == "process_start_time_seconds" else sum(numbers)
            if name == "process_cpu_seconds":
                total += self._seat.board.spent / MILLION
            metrics[0].samples = [metrics[0].samples[0]._replace(value=total)]
            yield metrics[0]

    def describe(self) -> Iterable[Metric]:
        return ()


def _figures(process: int) -> Iterable[Metric]:
    return ProcessCollector(pid=lambda: process, registry=None).collect()
