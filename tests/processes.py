"""What a test does with processes and processors, so that neither their number nor their speed makes a difference."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.waiting import PATIENCE, wait_until


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


def catches(pid: int, number: signal.Signals) -> bool:
    """Tell whether a process has a handler for a signal (proc(5), SigCgt)."""
    told = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    caught = next(line.split()[1] for line in told.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught, 16) >> (number - 1) & 1)


def workers_of(server: int) -> list[int]:
    """List the workers of a server: the children of its fork server."""
    return [pid for pid in children(server) if _is_of_fork_server(pid)]


def servers_of(parent: int) -> list[int]:
    """List the servers that a parent watches: the processes that it has forked."""
    command = Path(f"/proc/{parent}/cmdline").read_bytes()
    forked = []
    for child in Path(f"/proc/{parent}/task/{parent}/children").read_text(encoding="ascii").split():
        with suppress(OSError):
            if Path(f"/proc/{child}/cmdline").read_bytes() == command and not gone(int(child)):
                forked.append(int(child))
    return forked


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


def needs_fork(test: Callable[[], None]) -> Callable[[], None]:
    """Mark a test that forks: what is warned of, a fork beside threads, is what it is about."""
    there = pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform does not fork")
    marked: Callable[[], None] = pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")(there(test))
    return marked


def in_a_fork(work: Callable[..., None], *arguments: object) -> None:
    """Do `work` in a process forked from this one: it has what is loaded here, and none of the threads."""
    child = multiprocessing.get_context("fork").Process(target=work, args=arguments)
    child.start()
    child.join(PATIENCE)
    child.kill()
    assert child.exitcode == 0


def keeping_away(work: Callable[[], None]) -> None:
    """Do `work` on each processor in turn, and see that the threads that help are told to leave that one alone.

    They are not moved: what they are told is looked at, and that there is one processor more than this machine has.
    """
    before, told = os.sched_getaffinity(0), list[set[int]]()
    allowed = {*before, max(before) + 1}
    move = os.sched_setaffinity
    for processor in before:
        move(0, {processor})
        os.sched_getaffinity = lambda _: allowed
        os.sched_setaffinity = lambda thread, processors: told.append(set(processors))
        told.clear()
        work()
        assert told, "nobody was told"
        assert all(processors == allowed - {processor} for processors in told)


def _is_of_fork_server(pid: int) -> bool:
    try:
        parent = int(Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(") ")[2].split()[1])
        return "forkserver" in Path(f"/proc/{parent}/cmdline").read_text(encoding="utf-8")
    except (OSError, ValueError):
        return False
