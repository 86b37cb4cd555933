"""The ways to compute, one file each; the tuple is what the planner chooses from."""

from __future__ import annotations

from service.engine.algorithms.base import Algorithm
from service.engine.algorithms.fft import Fft

ALGORITHMS: tuple[Algorithm, ...] = (Fft(),)
