"""Server-Timing (W3C): the parts of a request in milliseconds; inside the service they are seconds."""

from __future__ import annotations

from collections.abc import Iterable

from service.engine.jobs.timings import Timing


def server_timing(timings: Iterable[Timing], total: float) -> str:
    """Write `decode;dur=1.234, step-0;desc="conv: direct";dur=…, total;dur=…`."""
    return ", ".join([*(_metric(timing) for timing in timings), f"total;dur={total * 1000:.3f}"])


def spans(timings: Iterable[Timing], total: float) -> dict[str, float]:
    """Return seconds by part, for the log and the metrics."""
    return {timing.name: timing.seconds for timing in timings} | {"total": total}


def _metric(timing: Timing) -> str:
    description = timing.description.replace("\\", "\\\\").replace('"', '\\"')
    described = f';desc="{description}"' if description else ""
    return f"{timing.name}{described};dur={timing.seconds * 1000:.3f}"
