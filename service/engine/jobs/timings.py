"""How long each part of a job took."""

from __future__ import annotations

from typing import NamedTuple


class Timing(NamedTuple):
    """A part's name ("decode", "step-0"), what it was ("conv: direct", or nothing), and its seconds."""

    name: str
    description: str
    seconds: float
