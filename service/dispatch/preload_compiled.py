"""Imported once, by the fork server after preload.py, so every worker inherits the loops that are on disk by then.

When more have been compiled the server sends `NEWS`, and later workers inherit those as well. Python runs the handler
in the main thread, which is also the one that forks, so no worker is started in the middle of it.
"""

from __future__ import annotations

import gc
import signal
from contextlib import suppress
from types import FrameType

from service.dispatch.messages import NEWS

_loading = _again = False


def _load(number: int = NEWS, frame: FrameType | None = None) -> None:  # noqa: ARG001
    """Load what is new, including what is compiled during the call: the loops have a lock."""
    global _loading, _again  # noqa: PLW0603
    _again = True
    if _loading:
        return
    _loading = True
    with suppress(Exception):  # each worker meets the error again and reports it
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
