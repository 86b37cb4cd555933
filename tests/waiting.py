"""Waiting for what is about to become true: only what hangs takes as long as PATIENCE."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

PATIENCE = 60.0
FIRST_START = 300.0
"""Where all loops may have to be compiled."""
GLANCE = 0.01


def wait_until(condition: Callable[[], object], patience: float = PATIENCE) -> None:
    """Look again and again, up to `patience` seconds."""
    end = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < end, "it did not become true"
        time.sleep(GLANCE)


async def until(condition: Callable[[], object], patience: float = PATIENCE) -> None:
    """Look again and again, while other tasks go on."""
    end = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < end, "it did not become true"
        await asyncio.sleep(GLANCE)
