"""Imported once, by the fork server, so every worker inherits the engine.

Errors are ignored here: they would end the fork server, and each worker meets them again and can report them.
"""

import gc
import os
import signal
from contextlib import suppress

from service.dispatch.lifeline import die_with_parent

signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server
die_with_parent()
# Cores are shared out at admission; other threads beside that would fight over them. Read when NumPy is imported, and
# when oxipng is first asked.
os.environ["OPENBLAS_NUM_THREADS"] = os.environ["RAYON_NUM_THREADS"] = "1"

with suppress(Exception):
    import service.engine.jobs.pipeline  # noqa: F401 -- what the workers run

gc.collect()
gc.freeze()  # the collector would otherwise write to, and so copy, every page that the workers share
