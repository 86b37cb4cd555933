"""How long jobs are likely to take, learnt from those that were done: numbers alone, without a clock."""

from __future__ import annotations

import math
from typing import NamedTuple, Self

from service.engine.jobs import Job, Result

FIRST_SECONDS = 0.002
FIRST_SECONDS_PER_BYTE = 2e-7
"""What a job is taken to need before any was done: about what one thread takes to sharpen a JPEG, or less."""
SHARE_OF_KIND = 0.5
"""How much one job tells of the next of its kind: they hardly differ."""
SHARE_OF_SIZE = 0.1
"""How much it tells of others of its size, which may be asked for anything."""
KEPT = 256
SEEN_BYTES = 4096
"""So much of a spec is looked at to tell it from others."""
LEAST_SECONDS = 1e-6


class Kind(NamedTuple):
    """What jobs share that take about the same time: the octave of their size in bytes, and what is asked for."""

    octave: int
    asked: int

    @classmethod
    def of(cls, job: Job) -> Self:
        """Tell a job's kind by what is known before it is read."""
        spec = job.spec[:SEEN_BYTES] if job.spec else b""
        return cls(len(job.body).bit_length(), hash((job.kind, job.form, job.answer, spec)))


class Took(NamedTuple):
    """The bounds of what one thread takes for a job, in seconds, as far as one that was done tells."""

    least: float
    most: float


def took(result: Result, threads: int, passed: float) -> Took:
    """Tell it from a result that so many threads made; `passed` are the seconds until it was here.

    By the worker's own clock where it tells: a server that is busy elsewhere may look late.
    """
    own = sum(timing.seconds for timing in result.timings if timing.name != "queue")
    return Took(own, own * threads) if own else Took(0.0, passed * threads)


class Estimates:
    """Seconds that one thread takes for a job, by its kind, or as long as that is unknown by its size.

    Estimates change by factors: a job of ten seconds among a thousand of a millisecond must not count for them all.
    """

    def __init__(self) -> None:
        self._of_kinds: dict[Kind, float] = {}  # from the one that was met longest ago to the last
        self._of_octaves: dict[int, float] = {}

    def seconds(self, kind: Kind) -> float:
        """Estimate the seconds of a job."""
        known = self._of_kinds.get(kind)
        return self._of_octave(kind.octave) if known is None else known

    def by_size(self, size: int) -> float:
        """Estimate the seconds of a job of which nothing but the bytes of its body is known."""
        return self._of_octave(size.bit_length())

    def learn(self, kind: Kind, took: Took) -> None:
        """Take in what a job of the kind took."""
        of_octave = self._of_octave(kind.octave)
        of_kind = self._of_kinds.pop(kind, of_octave)
        self._of_octaves[kind.octave] = _nearer(of_octave, took, SHARE_OF_SIZE)
        self._of_kinds[kind] = _nearer(of_kind, took, SHARE_OF_KIND)
        if len(self._of_kinds) > KEPT:
            del self._of_kinds[next(iter(self._of_kinds))]

    def _of_octave(self, octave: int) -> float:
        known = self._of_octaves.get(octave)
        return FIRST_SECONDS + FIRST_SECONDS_PER_BYTE * 2.0**octave if known is None else known


def _nearer(estimate: float, took: Took, share: float) -> float:
    """Bring an estimate nearer to bounds that it does not keep to."""
    goal = max(LEAST_SECONDS, min(max(estimate, took.least), took.most))
    return estimate * math.pow(goal / estimate, share)
