"""Imported once, by the fork server after preload.py: every worker inherits the loops that are on disk by then."""

import gc
from contextlib import suppress

with suppress(Exception):
    from service.engine import compiled

    compiled.load()

gc.collect()
gc.freeze()
