"""The ways to compute, one file each; the tuple is what the planner chooses from."""

from __future__ import annotations

from service.engine.algorithms.base import Algorithm
from service.engine.algorithms.fft import Fft
from service.engine.algorithms.gemm import Gemm
from service.engine.algorithms.pooling import Pooling
from service.engine.algorithms.restoration import Restoration

ALGORITHMS: tuple[Algorithm, ...] = (Fft(), Gemm(), Pooling(), Restoration())
