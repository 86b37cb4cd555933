"""Imported once, by the fork server after preload.py: every worker inherits the loops that are on disk by then.

When more have been compiled, the server sends `NEWS`: a worker that is made later inherits those as well. Python runs
the handler in the main thread, which is the one that forks, so that no worker is made in the middle of it.
"""

from __future__ import annotations

import gc
import signal
from contextlib import suppress
from types import FrameType

from service.dispatch.messages import NEWS

_loading = _again = False


def _load(number: int = NEWS, frame: FrameType | None = None) -> None:  # noqa: ARG001
    """Load what is new; what comes meanwhile is loaded by the same call, since the loops have a lock."""
    global _loading, _again  # noqa: PLW0603
    _again = True
    if _loading:
        return
    _loading = True
    with suppress(Exception):  # each worker meets it again, and tells
        from service.engine.machine import compiled  # noqa: PLC0415

        while _again:
            _again = False
            compiled.load()
    _loading = False
    gc.freeze()


_load()
gc.collect()
gc.freeze()
signal.signal(NEWS, _load)
