"""Imported once, by the fork server: every worker inherits the engine with its loops compiled and tried."""

import gc
import os

# Cores are shared out at admission; BLAS threads beside that would fight over them. Read when NumPy is imported.
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import service.engine.pipeline  # noqa: F401 -- what the workers run
from service.cores import available_cores
from service.engine.warm import warm

warm(available_cores())
gc.collect()
gc.freeze()  # the collector would otherwise touch, and so copy, every page that the workers share
