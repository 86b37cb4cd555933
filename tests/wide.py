"""Tests of the loops of AVX-512 on a processor that has AVX2 alone: `python -m tests.wide`, which `make levels` calls.

The code is that of x86-64-v4, with its width of vectors, tails, tables and tilings. Only its instructions are those of
x86-64-v3, since LLVM may use none of AVX-512: each vector takes two registers. What this cannot show is the time.
"""

from __future__ import annotations

import os
import subprocess
import sys

from service.engine.machine import levels

OURS, WIDE = "x86-64-v3", "x86-64-v4"
WARM = "from service.engine.algorithms import warming; warming.warm(2)"


def main() -> int:
    if levels.highest() != OURS:
        print(f"passed over: this machine has {levels.highest()}, not {OURS}")
        return 0
    environment = os.environ | {levels.NAME: WIDE, levels.FEATURES: "-avx512f", "CONVSERVE_TEST_LEVEL": "as set"}
    for command in (["-c", WARM], ["-m", "pytest", *sys.argv[1:]]):
        status = subprocess.run([sys.executable, *command], env=environment, check=False).returncode
        if status:
            return status
    return 0


if __name__ == "__main__":
    sys.exit(main())
