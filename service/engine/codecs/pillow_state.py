"""Pillow's process-wide state: set for good if the process is the engine's own, else only for a while.

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
"""Modules whose warnings about files must reach neither log nor program: Pillow's, and parsed text."""


@cache
def own_process() -> None:
    """Set up a process that does only the engine's work: a worker, the command line."""
    core: Any = vars(Image)["core"]  # documented, but unknown to type checkers
    core.set_use_block_allocator(1)  # each picture in one piece: only then can it be exported
    Image.MAX_IMAGE_PIXELS = None  # sizes are checked by the engine, against the service's own bound
    with suppress(AttributeError):  # libtiff writes errors to standard error, where only log lines belong
        ctypes.CDLL(core.__file__).TIFFSetErrorHandler(None)


class _Quiet:
    """Silences warnings about files while any thread reads a picture; threads may overlap in any order."""

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
    """Silence warnings about files; the program's own filters are back once the last reader leaves."""
    _quiet.enter()
    try:
        yield
    finally:
        _quiet.leave()
