"""What LLVM knows of the processor at hand, for systems that do not say it themselves."""

from __future__ import annotations

import llvmlite.binding as llvm  # type: ignore[import-untyped]


def features() -> frozenset[str]:
    """List the features of this processor, by LLVM's names."""
    return frozenset(name for name, there in llvm.get_host_cpu_features().items() if there)
