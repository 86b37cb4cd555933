"""What runs inside a worker process."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import pkgutil
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from functools import cache

from service.dispatch.messages import ROOM, Done, Failed, Reply, answer, framed, job_of, receive
from service.dispatch.payloads import KEPT, Address, Parcel, open_parcel, reachable, send_back
from service.engine.errors import EngineError, MemoryLimit
from service.engine.jobs import Job, Result
from service.heap import keep_memory

PR_SET_PDEATHSIG = 1
THREAD_BYTES = 160 << 20  # address space of one thread: its stack, and the heap that glibc reserves for it
OOM_SCORE = "500"

Perform = Callable[[Job, int], Result]


def perform_with_engine(job: Job, threads: int) -> Result:
    """Do the job with the engine, which preload.py has imported; the server itself never loads it."""
    return _engine()(job, threads)


@cache
def _engine() -> Perform:
    perform: Perform = pkgutil.resolve_name("service.engine.pipeline:perform")
    return perform


def serve(server: socket.socket, address: Address | None, perform: Perform, memory: int, threads: int) -> None:
    """Say whether the server's memory files can be opened, then do the jobs that it sends, until it closes."""
    _prepare(memory, threads)
    server.sendall(framed(reachable(address)))
    room = bytearray(ROOM)
    while True:
        try:
            asked = receive(server, room)
        except EOFError:
            return
        server.sendall(answer(_work(perform, *job_of(asked))))


def _prepare(memory: int, threads: int) -> None:
    """Make this process one that cannot harm the others: it may be killed at any moment, and takes so much memory."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server, which lets jobs finish
    if sys.platform == "linux":
        _die_with_the_others()
        keep_memory()
        _bound_memory(memory + threads * THREAD_BYTES + 2 * KEPT)


def _work(perform: Perform, job: Job, body: Parcel, address: Address | None, threads: int) -> Reply:
    """Do one job, whose body comes and whose answer goes by itself."""
    try:
        result = perform(job._replace(body=open_parcel(body)), threads)
        return Done(result, send_back(result.body, address))
    except EngineError as error:
        return error
    except MemoryError:
        bound = job.limits.max_memory_bytes
        return MemoryLimit(f"the job needs more than {bound:,} bytes (max_memory_bytes)")
    except BaseException:  # SystemExit too must not end the process
        return Failed(traceback.format_exc())


if sys.platform == "linux":
    import fcntl
    import resource

    def _die_with_the_others() -> None:
        """End with the fork server and with the server, even in a loop that never returns to the interpreter.

        The fork server is the parent. The server holds the other end of a pipe: when it is gone, the kernel
        sends SIGIO, which ends a process by default.
        """
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if server := multiprocessing.parent_process():
            fcntl.fcntl(server.sentinel, fcntl.F_SETOWN, os.getpid())
            flags = fcntl.fcntl(server.sentinel, fcntl.F_GETFL)
            fcntl.fcntl(server.sentinel, fcntl.F_SETFL, flags | os.O_ASYNC)

    def _bound_memory(extra: int) -> None:
        """Bound the address space to what is used now and `extra` bytes; where memory is short, die before others."""
        with open("/proc/self/statm", encoding="ascii") as statm:
            used = int(statm.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + extra, used + extra))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as score:
            score.write(OOM_SCORE)
