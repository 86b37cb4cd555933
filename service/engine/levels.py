"""The processor levels that loops are compiled for. Placeholder with the agreed interface; the merge replaces it."""

from __future__ import annotations

import platform
from pathlib import Path

_V2 = {"ssse3", "sse4_1", "sse4_2", "popcnt", "cx16"}
_V3 = _V2 | {"avx2", "bmi1", "bmi2", "fma", "f16c", "movbe", "abm"}
_V4 = _V3 | {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}
_X86 = {"x86-64-v2": _V2, "x86-64-v3": _V3, "x86-64-v4": _V4}

KNOWN: tuple[str, ...] = tuple(_X86) if platform.machine() in {"x86_64", "AMD64"} else ("aarch64",)


def highest() -> str:
    """Give the highest level that this machine has."""
    return _present()[-1]


def use(level: str | None) -> str:
    """Choose a level, by default the highest; raises ValueError where it is not known or the machine lacks it."""
    if level is not None and level not in KNOWN:
        raise ValueError(f"must be one of {', '.join(KNOWN)}")
    if level is not None and level not in _present():
        raise ValueError(f"this machine has no more than {highest()}")
    return level or highest()


def _present() -> list[str]:
    if KNOWN == ("aarch64",):
        return list(KNOWN)
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return list(KNOWN[:1])
    flags = next((set(line.partition(":")[2].split()) for line in lines if line.startswith("flags")), set())
    return [level for level in KNOWN if level == KNOWN[0] or _X86[level] <= flags]
