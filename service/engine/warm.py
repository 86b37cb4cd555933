"""Compile every loop, or load what was compiled before, so that no request waits for it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence

from service.engine import codecs
from service.engine.algorithms import warm as algorithms
from service.engine.loops import mixing, planes, pointwise, winograd
from service.engine.loops.compiler import NotKept, can_be_kept, only_what_is_kept

Part = Callable[[], object]

PARTS: tuple[Part, ...] = (
    *algorithms.PARTS,
    codecs.warm,
    mixing.warm,
    planes.warm,
    winograd.warm,
    pointwise.warm,
)
"""What has its loops for itself, the longest to compile first."""
MOST_PROCESSES = 4
"""That compile at once: each takes some 300 MB, and the longest part a quarter of the time."""


def warm(processes: int) -> None:
    """Run every loop once for each type it is compiled for; what is not kept is compiled in so many processes."""
    missing = [part for part in PARTS if not kept(part)]
    if len(missing) > 1 and sys.platform == "linux" and can_be_kept():
        side_by_side(missing, min(processes, MOST_PROCESSES))
    for part in missing:
        part()


def kept(part: Part) -> bool:
    try:
        with only_what_is_kept():
            part()
    except NotKept:
        return False
    return True


def side_by_side(parts: Sequence[Part], processes: int) -> None:
    """Run parts in forked processes, each of which takes one after another; what fails there is left to the caller."""
    taken, left = os.pipe()
    os.write(left, bytes(range(len(parts))))
    os.close(left)
    started = [_started(parts, taken) for _ in range(min(processes, len(parts)))]
    os.close(taken)
    for process in started:
        os.waitpid(process, 0)


def _started(parts: Sequence[Part], taken: int) -> int:
    parent = os.getpid()
    process = os.fork()
    if process == 0:
        try:
            while os.getppid() == parent and (number := os.read(taken, 1)):
                parts[number[0]]()
        finally:
            os._exit(0)
    return process
