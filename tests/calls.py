"""How much Python is done: what a test may claim where the time would depend on the machine."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from types import FrameType


def calls(work: Callable[[], object]) -> int:
    """Count the calls of functions, Python's and those of C that Python makes, while `work` is done on this thread."""
    count = 0

    def seen(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    before, collecting = sys.getprofile(), gc.isenabled()
    gc.disable()  # when it runs, and what it calls, is chance
    sys.setprofile(seen)
    try:
        work()
    finally:
        sys.setprofile(before)
        if collecting:
            gc.enable()
    return count
