"""Child processes that end with their parent, whatever kills it."""

from __future__ import annotations

import ctypes
import os
import runpy
import signal
import sys
import threading

PR_SET_PDEATHSIG = 1
OOM_SCORE = "900"  # above a worker's: compiling can wait


def die_with_parent() -> None:
    """Have the kernel end this process with its parent, even in a loop that never returns to the interpreter."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def command(*arguments: str) -> list[str]:
    """Return the command line of `python -m service ARGUMENTS` as a process that ends with its standard input.

    The kernel's signal will not do: it has to be requested between fork and exec, or may come too late.
    """
    return [sys.executable, "-m", __name__, *arguments]


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent
    threading.Thread(target=_end_with_input, daemon=True).start()
    if sys.platform == "linux":
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as score:
            score.write(OOM_SCORE)
    sys.argv[0] = "convserve"
    runpy.run_module("service", run_name="__main__")


def _end_with_input() -> None:
    while os.read(0, 4096):
        pass
    os._exit(1)


if __name__ == "__main__":
    main()
