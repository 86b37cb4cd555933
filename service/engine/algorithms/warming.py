"""Compile the loops kit by kit and keep them on disk for this process's level, or tell which are kept."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from service.engine.algorithms.registered import COMPILED
from service.engine.loops import deflate, pixels, png, unfilter
from service.engine.loops.compiler import NotKept, all_loops, only_what_is_kept
from service.engine.loops.kept import folders
from service.engine.machine.compiled import Kit

if sys.platform != "win32":
    import fcntl

Signatures = list[tuple[str, str, list[Any]]]

MOST_PROCESSES = 4
"""Most processes that compile at once: each takes some 300 MB, and the longest kit a quarter of the time."""
LOWEST_PRIORITY = 19


def _filter_rows() -> None:
    rows = np.zeros((1, 3), np.uint8)
    rows.flags.writeable = False
    png.filter_rows(rows, 0, 3, False, np.empty((1, 4), np.uint8))  # noqa: FBT003


def _deflate() -> None:
    deflate.code(np.zeros(64, np.uint8), np.empty(64 + deflate.END_BYTES, np.uint8))


def _unfilter_rows() -> None:
    filtered = np.frombuffer(bytes(4), np.uint8).reshape(1, 4)
    unfilter.unfilter_rows(filtered, np.zeros(3, np.uint8), 3, np.empty((1, 3), np.uint8))


def _pack() -> None:
    pixels.pack(np.frombuffer(bytes(4), np.uint8).reshape(1, 4), np.empty((1, 3), np.uint8))


CODECS = (
    Kit("png", 0, _filter_rows),
    Kit("deflate", 0, _deflate),
    Kit("unfilter", 1, _unfilter_rows),
    Kit("pixels", 1, _pack),
)
KITS: tuple[Kit, ...] = tuple(
    sorted((*CODECS, *(kit for algorithm in COMPILED for kit in algorithm.kits)), key=lambda kit: kit.rank)
)
"""All kits, in the order of compilation."""


def is_kept(kit: Kit) -> bool:
    """Load a kit from disk; False if any of it would have to be compiled."""
    try:
        with only_what_is_kept():
            kit.run()
    except NotKept:
        return False
    return True


def can_be_kept() -> bool:
    """Tell whether there is a folder in which other processes find compiled loops."""
    return bool(folders()) and all(os.access(folder, os.W_OK) for folder in folders())


def warm(processes: int) -> None:
    """Compile every kit that is not kept, in up to `processes` processes."""
    missing = [kit for kit in KITS if not is_kept(kit)]
    if len(missing) > 1 and sys.platform == "linux" and can_be_kept():
        side_by_side([kit.run for kit in missing], min(processes, MOST_PROCESSES))
    for kit in missing:
        kit.run()


def compile_behind(report: Callable[[int, int], None]) -> None:
    """Compile kit by kit at the lowest priority; `report` gets the number of kits kept and of all kits.

    If two processes do this for the same folders, the second waits for the first.
    """
    if hasattr(os, "nice"):
        os.nice(LOWEST_PRIORITY)
    missing = [kit for kit in KITS if not is_kept(kit)]
    report(len(KITS) - len(missing), len(KITS))
    if not missing:
        return
    with _one_at_a_time():
        while missing:
            missing.pop(0).run()
            missing = [kit for kit in missing if not is_kept(kit)]
            report(len(KITS) - len(missing), len(KITS))


def signatures() -> Signatures:
    """List every loop, by module and name, with the types of the arguments that it is compiled for."""
    for kit in KITS:
        kit.run()
    return [(loop.__module__, loop.__name__, loop.signatures) for loop in all_loops()]


def compile_signatures(listed: Signatures) -> None:
    """Compile loops for the listed types and keep them, without calling them."""
    loops = {(loop.__module__, loop.__name__): loop for loop in all_loops()}
    for module, name, kinds in listed:
        for arguments in kinds:
            loops[module, name].compile(arguments)


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    if sys.platform == "win32":
        yield
        return
    with (Path(min(folders())) / "compiling.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def side_by_side(work: Sequence[Callable[[], object]], processes: int) -> None:
    """Do pieces of work in forked processes, one after another in each; failures there are left to the caller."""
    taken, left = os.pipe()
    os.write(left, bytes(range(len(work))))
    os.close(left)
    started = [_started(work, taken) for _ in range(min(processes, len(work)))]
    os.close(taken)
    for process in started:
        os.waitpid(process, 0)


def _started(work: Sequence[Callable[[], object]], taken: int) -> int:
    parent = os.getpid()
    process = os.fork()
    if process == 0:
        try:
            while os.getppid() == parent and (number := os.read(taken, 1)):
                work[number[0]]()
        finally:
            os._exit(0)
    return process
