"""`convserve warm`: compile the loops of one processor level, or of all, and keep them on disk."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from importlib.util import find_spec

from service.engine.machine import levels
from service.engine.machine.cores import available_cores


class NotHere(Exception):
    """Nothing can be compiled here, or nothing can be kept."""


def run(level: str | None, *, progress: bool) -> None:
    """Compile for a level, by default the highest of this machine. Raises ValueError for an unknown level.

    With `progress` it runs at the lowest priority, and prints how many of all kits of loops are kept, at the start and
    after each kit. Raises NotHere if there is no numba, or no folder for compiled loops.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # its threads would be lost when this process forks
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
    """Compile for all levels of this architecture, including those that this machine lacks."""
    for level in levels.KNOWN:
        subprocess.run([sys.executable, "-m", "service", "warm", "--level", level], check=True)  # noqa: S603 -- ourselves


def _compile_unseen(level: str) -> None:
    """Compile for a level whose code cannot run here, from the loop signatures of a level whose code can."""
    run(None, progress=False)
    from service.engine.algorithms import warming  # noqa: PLC0415

    environment = os.environ | {levels.NAME: levels.target(level)}
    command = [sys.executable, "-m", "service.engine.algorithms.compile_unseen"]
    subprocess.run(command, input=pickle.dumps(warming.signatures()), env=environment, check=True)  # noqa: S603 -- ourselves
