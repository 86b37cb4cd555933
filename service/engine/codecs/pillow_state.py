"""What Pillow keeps for a whole process: set for good where the process is the engine's own, else only lent.

A library changes nothing in the program that uses it: importing the engine sets nothing here.
"""

from __future__ import annotations

import ctypes
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any

from PIL import Image

ABOUT_FILES = r"PIL\.|<unknown>"
"""Modules that warn of files, which is neither for the log nor for the program: Pillow's, and a text that is parsed."""


@cache
def own_process() -> None:
    """Set up a process that does nothing but the engine's work: a worker, the command line."""
    core: Any = vars(Image)["core"]  # documented, though not for type checkers
    core.set_use_block_allocator(1)  # each picture in one piece: others cannot be exported
    Image.MAX_IMAGE_PIXELS = None  # sizes are checked by the engine, against the service's own bound
    with suppress(AttributeError):  # libtiff writes its complaints to standard error, where only log lines belong
        ctypes.CDLL(core.__file__).TIFFSetErrorHandler(None)


class _Quiet:
    """Warnings about files, kept still while anybody reads a picture; threads may overlap in any order."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._readers = 0
        self._saved = warnings.catch_warnings()

    def enter(self) -> None:
        with self._lock:
            if self._readers == 0:
                self._saved = warnings.catch_warnings()
                self._saved.__enter__()
                warnings.filterwarnings("ignore", module=ABOUT_FILES)
            self._readers += 1

    def leave(self) -> None:
        with self._lock:
            self._readers -= 1
            if self._readers == 0:
                self._saved.__exit__(None, None, None)


_quiet = _Quiet()


@contextmanager
def quiet() -> Iterator[None]:
    """Keep warnings about files still; the program's own filters are as before when the last reader leaves."""
    _quiet.enter()
    try:
        yield
    finally:
        _quiet.leave()
