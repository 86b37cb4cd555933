"""All reasons why a job may fail through no fault of its own.

DispatchError
├── Refused                  try again after `retry_after` seconds
│   ├── QueueFull
│   ├── ShuttingDown
│   └── WorkerKilled         the worker process was killed from outside, perhaps not because of the job
├── DeadlineExceeded         the work was stopped
├── WorkerCrashed            the worker process died while doing this job
│   └── NeverBegun           it had died before it saw the job
└── JobFailed                an error the engine did not foresee; `report` is its traceback, for the log only
"""

from __future__ import annotations


class DispatchError(Exception):
    """The root of the tree; `detail` may be shown to the client."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class Refused(DispatchError):
    def __init__(self, detail: str, retry_after: int) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class QueueFull(Refused):
    pass


class ShuttingDown(Refused):
    pass


class WorkerKilled(Refused):
    def __init__(self, detail: str, retry_after: int = 1) -> None:
        super().__init__(detail, retry_after)


class DeadlineExceeded(DispatchError):
    pass


class WorkerCrashed(DispatchError):
    pass


class NeverBegun(WorkerCrashed):
    pass


class JobFailed(DispatchError):
    def __init__(self, detail: str, report: str) -> None:
        super().__init__(detail)
        self.report = report
