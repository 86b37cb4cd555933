"""`convserve warm`: the loops of one processor level, or of all, compiled and kept on disk."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from importlib.util import find_spec

from service.engine.machine import levels
from service.engine.machine.cores import available_cores


class NotHere(Exception):
    """Nothing can be compiled, or kept, here."""


def run(level: str | None, *, progress: bool) -> None:
    """Compile for a level, by default the highest that this machine has. Raises ValueError for one it does not know.

    With `progress` it gives way to all other processes, and prints how many kits of loops are kept, and of how many,
    once it knows and with each one. Raises NotHere where there is no numba, or no folder to keep anything in.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # its threads would be lost where this process forks
    if level in levels.KNOWN and level not in levels.available():
        _compile_unseen(level)
        return
    levels.use(level)
    if find_spec("numba") is None:
        raise NotHere("numba is not installed: there are no compiled loops, and everything is done without them")
    from service.engine.algorithms import warming  # noqa: PLC0415 (imports numba, which then knows the level)

    if not warming.can_be_kept():
        raise NotHere("there is no folder to keep compiled loops in; NUMBA_CACHE_DIR may name one")
    if progress:
        warming.compile_behind(lambda done, of: print(done, of, flush=True))
    else:
        warming.warm(available_cores())


def every_level() -> None:
    """Compile for all levels of this architecture, those that this machine lacks as well."""
    for level in levels.KNOWN:
        subprocess.run([sys.executable, "-m", "service", "warm", "--level", level], check=True)  # noqa: S603 -- ourselves


def _compile_unseen(level: str) -> None:
    """Compile for a level whose code cannot run here: by the signatures of the loops of a level that can."""
    run(None, progress=False)
    from service.engine.algorithms import warming  # noqa: PLC0415

    environment = os.environ | {levels.NAME: levels.target(level)}
    command = [sys.executable, "-m", "service.engine.algorithms.compile_unseen"]
    subprocess.run(command, input=pickle.dumps(warming.signatures()), env=environment, check=True)  # noqa: S603 -- ourselves
