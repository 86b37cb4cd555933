"""What a test does with processes and processors, so that neither their number nor their speed makes a difference."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.waiting import wait_until


def children(pid: int) -> list[int]:
    """List the processes below a process, to any depth; threads and processes that end meanwhile are passed over."""
    found = []
    with suppress(FileNotFoundError, ProcessLookupError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with suppress(FileNotFoundError, ProcessLookupError):
                for child in (task / "children").read_text(encoding="ascii").split():
                    found += [int(child), *children(int(child))]
    return found


def state(pid: int) -> str:
    """Give the letter of a process's state, (proc(5), stat), or none where it is no more."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(") ")[2][0]
    except OSError:
        return ""


def gone(pid: int) -> bool:
    """Tell whether a process is no more, or is only waiting to be reaped."""
    return state(pid) in {"", "Z"}


def workers_of(server: int) -> list[int]:
    """List the workers of a server: the children of its fork server."""
    return [pid for pid in children(server) if _is_of_fork_server(pid)]


@contextmanager
def stopped(pids: list[int]) -> Iterator[None]:
    """Stop processes for as long as the context lasts: what they are given waits, however fast the machine is."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        wait_until(lambda: all(state(pid) == "T" for pid in pids))
        yield
    finally:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


@contextmanager
def one_processor() -> Iterator[None]:
    """Let this thread, and what it starts, have one processor: work takes as long as it takes one."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _is_of_fork_server(pid: int) -> bool:
    try:
        parent = int(Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(") ")[2].split()[1])
        return "forkserver" in Path(f"/proc/{parent}/cmdline").read_text(encoding="utf-8")
    except (OSError, ValueError):
        return False
