"""The interface of everything that runs jobs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from service.dispatch.errors import Refused

if TYPE_CHECKING:  # preload.py must run before anything imports NumPy, and this module is imported before it
    from service.engine.jobs import Job, Result


class Engine(NamedTuple):
    """What workers compute with: a processor level, and the share of its compiled loops that every worker uses."""

    level: str | None
    compiled: float


class Progress(NamedTuple):
    """Progress of compiling: `done` of `parts` kits of loops, and whether it has finished or failed."""

    done: int
    parts: int
    finished: bool
    failed: bool


@dataclass(frozen=True)
class Status:
    """The state of a dispatcher: at most `capacity` jobs may wait, `restarts` counts replaced workers by reason.

    `expected_wait` is how many seconds a job that arrived now would wait. `engine` and `progress` are None if the
    dispatcher cannot know them.
    """

    ready: bool
    reason: str
    workers: int
    running: int
    queued: int
    capacity: int
    restarts: Mapping[str, int]
    expected_wait: float = 0.0
    engine: Engine | None = None
    progress: Progress | None = None
    draining: bool = False


class Dispatcher(Protocol):
    """Runs jobs outside the event loop."""

    async def start(self) -> None:
        """Start the workers; returns before they are warm. `status` tells when they are."""

    async def stop(self) -> None:
        """Refuse new jobs, give accepted ones the grace period, then stop the rest; may be called twice."""

    async def run(self, job: Job) -> Result:
        """Run a job; raises EngineError or DispatchError. Cancelling the caller stops the work."""
        ...

    def refusal(self, size: int) -> Refused | None:
        """Return the refusal that a job with a body of `size` bytes would get now; None if it would be accepted."""
        ...

    def status(self) -> Status: ...
