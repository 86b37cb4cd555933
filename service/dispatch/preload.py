"""Imported once, by the fork server: every worker inherits the engine.

What goes wrong here goes wrong in each worker again, which can say so; an exception would only end the fork server.
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
gc.freeze()  # the collector would otherwise touch, and so copy, every page that the workers share
