"""Processor levels: loops are compiled for families of machines, never for the one machine at hand.

Code compiled for a level runs on every processor that has the level, so a folder of compiled loops can move from one
machine to another. On x86-64 the levels are those of the System V psABI; AArch64 has one. Other architectures have
none, and no loop is compiled there.
"""

from __future__ import annotations

import os
import platform
import sys
from functools import cache
from pathlib import Path

_X86_64 = {
    "x86-64-v2": "cx16 lahf_lm popcnt sse4_1 sse4_2 ssse3",
    "x86-64-v3": "abm avx avx2 bmi1 bmi2 f16c fma movbe xsave",
    "x86-64-v4": "avx512bw avx512cd avx512dq avx512f avx512vl",
}
"""The features that each level adds to the one before, by their Linux names: x86-64 psABI, version 1.0, table 3.1."""
_OTHER_NAMES = {"abm": "lzcnt", "bmi1": "bmi", "lahf_lm": "sahf", "sse4_1": "sse4.1", "sse4_2": "sse4.2"}
"""LLVM's names for features that it names differently."""

_KNOWN = {"x86_64": tuple(_X86_64), "amd64": tuple(_X86_64), "aarch64": ("aarch64",), "arm64": ("aarch64",)}
KNOWN: tuple[str, ...] = _KNOWN.get(platform.machine().lower(), ())
"""The levels of this architecture, from the lowest to the highest."""

NAME, FEATURES = "NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES"
"""The environment variables that tell numba what to compile for."""


@cache
def available() -> tuple[str, ...]:
    """List the levels that this machine has, from the lowest to the highest."""
    return of_features(_features()) if tuple(_X86_64) == KNOWN else KNOWN


def of_features(features: frozenset[str]) -> tuple[str, ...]:
    """List the levels of an x86-64 processor with these features (Linux names), from the lowest to the highest."""
    has_next = [features.issuperset(added.split()) for added in _X86_64.values()]
    return tuple(name for position, name in enumerate(_X86_64) if all(has_next[: position + 1]))


def highest() -> str | None:
    """Name the highest level that this machine has; None if it has no known level."""
    return available()[-1] if available() else None


def use(level: str | None = None) -> str | None:
    """Have loops compiled for `level`, by default the highest, in this process and its children.

    Returns the level. Call this before numba is imported. Raises ValueError if the level is unknown or this machine
    lacks it.
    """
    if level is None:
        level = highest()
    elif level not in KNOWN:
        known = ", ".join(KNOWN) or "there is none"
        raise ValueError(f"{level!r} is no level of {platform.machine()}; known: {known}")
    elif level not in available():
        raise ValueError(f"this machine does not have {level}; it has {', '.join(available()) or 'none'}")
    if level is not None:
        aim_at(level)
    return level


def aim_at(level: str) -> None:
    """Have loops compiled for a level of this architecture that this machine may not be able to run."""
    os.environ[NAME], os.environ[FEATURES] = target(level), ""


def current() -> str | None:
    """Name the level that this process's loops are compiled for."""
    chosen = os.environ.get(NAME)
    return next((level for level in KNOWN if target(level) == chosen), highest())


def target(level: str) -> str:
    """Name LLVM's processor for a level."""
    return "generic" if level == "aarch64" else level


def _features() -> frozenset[str]:
    """List the features of this processor by their Linux names."""
    if sys.platform == "linux":
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        return frozenset(next((line.partition(":")[2] for line in lines if line.startswith("flags")), "").split())
    try:
        from service.engine.loops.features import features  # noqa: PLC0415 (slow; not needed on Linux)
    except ImportError:
        return frozenset()
    found = features()
    wanted = {name for added in _X86_64.values() for name in added.split()}
    return frozenset(name for name in wanted if _OTHER_NAMES.get(name, name) in found)
