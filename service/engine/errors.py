"""Every way in which the engine refuses a request.

EngineError
├── BadRequest
│   ├── MalformedJson         the text is not strict JSON
│   ├── MissingImage
│   ├── MissingSpec
│   └── AmbiguousRequest      the document says one thing twice, or something unknown
├── InvalidSpec               the spec is JSON, but not a valid spec
├── UnsupportedFormat         the bytes are not a supported picture or array
├── InvalidImage              the format is supported, but the bytes are damaged
└── LimitExceeded
    ├── ImageTooLarge         pixels, frames or scans of the input
    ├── OutputTooLarge        pixels of a step's output
    ├── WorkTooLarge          multiplications, steps, kernel side
    ├── TooManyChannels
    └── MemoryLimit           bytes that the job would need, or did need

Each class takes a single message, so it passes between processes unharmed; the message carries the value and the bound.
If the fault lies in the client's document, `at` adds the place.
"""

from __future__ import annotations

from typing import NamedTuple, Self


class Fault(NamedTuple):
    """One fault of a document: a JSON pointer (RFC 6901) into it, and what is wrong there."""

    pointer: str
    detail: str


class EngineError(Exception):
    """The root of the tree; `faults` lists the faulty places in the document."""

    faults: tuple[Fault, ...] = ()

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail

    def at(self, prefix: str) -> Self:
        """Put `prefix` before every pointer; a refusal without a pointer gets `prefix` itself."""
        faults = self.faults or (Fault("", self.detail),)
        self.faults = tuple(Fault(prefix + fault.pointer, fault.detail) for fault in faults)
        return self


class BadRequest(EngineError):
    pass


class MalformedJson(BadRequest):
    pass


class MissingImage(BadRequest):
    pass


class MissingSpec(BadRequest):
    pass


class AmbiguousRequest(BadRequest):
    pass


class InvalidSpec(EngineError):
    @classmethod
    def of(cls, faults: list[Fault]) -> InvalidSpec:
        """Gather several faults in one refusal; its detail is the first fault."""
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        error = cls(faults[0].detail + more)
        error.faults = tuple(faults)
        return error


class UnsupportedFormat(EngineError):
    pass


class InvalidImage(EngineError):
    pass


class LimitExceeded(EngineError):
    pass


class ImageTooLarge(LimitExceeded):
    pass


class OutputTooLarge(LimitExceeded):
    pass


class WorkTooLarge(LimitExceeded):
    pass


class TooManyChannels(LimitExceeded):
    pass


class MemoryLimit(LimitExceeded):
    pass
