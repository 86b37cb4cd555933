"""The algorithms, one file each: those of the ground floor, and the compiled ones if any loops are loaded."""

from __future__ import annotations

from functools import cache

from service.engine.algorithms.base import Algorithm, CompiledAlgorithm
from service.engine.algorithms.ground import GROUND
from service.engine.machine import compiled

__all__ = ["GROUND", "named", "usable", "with_loops"]


def usable() -> tuple[Algorithm, ...]:
    """List the algorithms that the planner may choose from in this process."""
    return (*GROUND, *with_loops())


def with_loops() -> tuple[CompiledAlgorithm, ...]:
    """List the compiled algorithms once any loops are loaded; some may still lack theirs."""
    return _registered() if compiled.generation() else ()


def named(name: str) -> Algorithm:
    """Return the algorithm of that name; raises LookupError."""
    for algorithm in usable():
        if algorithm.name == name:
            return algorithm
    raise LookupError(f"no algorithm is named {name}")


@cache
def _registered() -> tuple[CompiledAlgorithm, ...]:
    from service.engine.algorithms.registered import COMPILED  # noqa: PLC0415 -- imports numba

    return COMPILED
