"""Estimate how long jobs will take, from those done before. Pure arithmetic: no clock is read here."""

from __future__ import annotations

import math
from typing import NamedTuple, Self

from service.engine.jobs import Job, Result

FIRST_SECONDS = 0.002
FIRST_SECONDS_PER_BYTE = 2e-7
"""The estimate before any job was done: about what one thread needs to sharpen a JPEG, or less."""
SHARE_OF_KIND = 0.5
"""The weight of one job in the estimate for its kind: they hardly differ."""
SHARE_OF_SIZE = 0.1
"""The weight of one job in the estimate for its size: others may ask for anything."""
KEPT = 256
SEEN_BYTES = 4096
"""The first bytes of a spec, by which it is told from others."""
LEAST_SECONDS = 1e-6


class Kind(NamedTuple):
    """What jobs of about the same duration share: the octave of their size in bytes, and what is asked for."""

    octave: int
    asked: int

    @classmethod
    def of(cls, job: Job) -> Self:
        """Return a job's kind from what is known before it is decoded."""
        spec = job.spec[:SEEN_BYTES] if job.spec else b""
        return cls(len(job.body).bit_length(), hash((job.kind, job.form, job.answer, spec)))


class Took(NamedTuple):
    """Bounds on the seconds that one thread needs for a job, as far as a finished job shows them."""

    least: float
    most: float


def took(result: Result, threads: int, passed: float) -> Took:
    """Return the bounds from a result made by `threads` threads, `passed` seconds after it was asked for.

    The worker's own times count, if there are any: a busy server may notice the result late.
    """
    own = sum(timing.seconds for timing in result.timings if timing.name != "queue")
    return Took(own, own * threads) if own else Took(0.0, passed * threads)


class Estimates:
    """The seconds one thread needs for a job: by its kind, or by its size while the kind is unknown.

    Estimates change by factors, so one job of ten seconds does not outweigh a thousand of a millisecond.
    """

    def __init__(self) -> None:
        self._of_kinds: dict[Kind, float] = {}  # least recently seen first
        self._of_octaves: dict[int, float] = {}

    def seconds(self, kind: Kind) -> float:
        """Estimate the seconds of a job."""
        known = self._of_kinds.get(kind)
        return self._of_octave(kind.octave) if known is None else known

    def by_size(self, size: int) -> float:
        """Estimate the seconds of a job from the size of its body alone."""
        return self._of_octave(size.bit_length())

    def learn(self, kind: Kind, took: Took) -> None:
        """Take a finished job of this kind into account."""
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
    """Move an estimate towards the bounds, if it is outside."""
    goal = max(LEAST_SECONDS, min(max(estimate, took.least), took.most))
    return estimate * math.pow(goal / estimate, share)
