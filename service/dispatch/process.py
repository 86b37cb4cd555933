"""One worker process, as the server sees it."""

from __future__ import annotations

import mmap
import multiprocessing
import os
import signal
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from multiprocessing import forkserver
from typing import Any, ClassVar, ParamSpec, TypeVar

from pebble import ProcessExpired, ProcessPool

from service.dispatch import worker
from service.dispatch.payloads import Mailbox

__all__ = ["ProcessExpired", "WorkerProcess", "start_fork_server"]

P = ParamSpec("P")
T = TypeVar("T")

CONTEXT = multiprocessing.get_context("forkserver")
START_SECONDS = 600.0  # a first start compiles the loops
RESTART_SECONDS = 10.0


def start_fork_server() -> None:
    """Begin to load the engine, once for all workers; returns at once. May be called early, and again."""
    CONTEXT.set_forkserver_preload(["service.dispatch.preload"])
    forkserver.ensure_running()


class WorkerProcess:
    """A Pebble pool of one process.

    Every worker has a pool of its own so that no two share a lock or a pipe: one that is killed in the middle of a
    message harms nobody else. For the same reason a pool whose worker was killed is not used again.
    """

    _loaded: ClassVar[bool] = False

    def __init__(self, memory: int, threads: int) -> None:
        """Start the process and wait until it answers; blocks."""
        start_fork_server()
        self._pool: Any = ProcessPool(
            max_workers=1, initializer=worker.prepare, initargs=(memory, threads), context=CONTEXT
        )
        self.jobs = 0
        self.mailbox = Mailbox()
        try:
            patience = RESTART_SECONDS if WorkerProcess._loaded else START_SECONDS
            greeting = self.submit(worker.greet, self.mailbox.address).result(patience)
        except BaseException:
            self.close()
            raise
        WorkerProcess._loaded = True
        self._pid = greeting.pid
        if not greeting.by_memory:
            self.mailbox.close()
        self._bytes_at_start = own_bytes(self._pid)

    @property
    def alive(self) -> bool:
        """Tell whether the process is there; Pebble may have put another in its place, which is not used."""
        try:
            os.kill(self._pid, 0)
        except OSError:
            return False
        return True

    def submit(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future: Future[T] = self._pool.schedule(function, args=args, kwargs=kwargs)
        return future

    def kept_bytes(self) -> int:
        """Tell how much more memory of its own the process has than when it was new; 0 where that is not known."""
        return own_bytes(self._pid) - self._bytes_at_start

    def kill(self) -> None:
        """Stop the work at once."""
        with suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)

    def close(self) -> None:
        """End the process, and free what belongs to it; blocks."""
        self._pool.stop()
        self._pool.join()
        self.mailbox.close()  # not before the process is gone: it may be writing


def own_bytes(pid: int) -> int:
    """Give the memory that a process shares with no file (proc(5), statm); 0 where that is not known."""
    try:
        with open(f"/proc/{pid}/statm", encoding="ascii") as statm:
            _, resident, shared, *_ = map(int, statm.read().split())
    except (OSError, ValueError):
        return 0
    return (resident - shared) * mmap.PAGESIZE
