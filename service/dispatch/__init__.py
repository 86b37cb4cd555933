"""Where jobs are done: one interface, whatever stands behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from service.dispatch.errors import Refused

if TYPE_CHECKING:  # preload.py must run before anything imports NumPy, and this module is imported before it
    from service.engine.jobs import Job, Result


class Engine(NamedTuple):
    """What workers compute with: a processor level, and the share of its compiled loops that all of them use."""

    level: str | None
    compiled: float


class Progress(NamedTuple):
    """How far the compiling is: of `parts` kits of loops so many are `done`; at the end it has finished, or failed."""

    done: int
    parts: int
    finished: bool
    failed: bool


@dataclass(frozen=True)
class Status:
    """How the dispatcher is: `capacity` is the number of jobs that may wait, `restarts` counts workers by reason.

    `expected_wait` are the seconds that a job would wait that came now. `engine` and `progress` are None where the
    workers are not known that well.
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
    """Does jobs elsewhere than in the event loop."""

    async def start(self) -> None:
        """Begin to make workers; returns before they are warm, which `status` tells."""

    async def stop(self) -> None:
        """Refuse what comes, finish what was accepted within the grace, and end the rest; may be called twice."""

    async def run(self, job: Job) -> Result:
        """Do a job; raises EngineError or DispatchError. Cancelling the caller stops the work."""
        ...

    def refusal(self, size: int) -> Refused | None:
        """Say what a job with a body of so many bytes would be told that came now; None where it would be taken."""
        ...

    def status(self) -> Status: ...
