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
from contextlib import suppress
from functools import cache
from importlib import import_module

from service.dispatch.messages import (
    LOAD,
    NEWS,
    ROOM,
    Done,
    Failed,
    Fit,
    Loaded,
    Reply,
    Unfit,
    answer,
    framed,
    job_of,
    receive,
)
from service.dispatch.payloads import KEPT, Address, Parcel, open_parcel, reachable, send_back
from service.dispatch.proof import WRONG, WrongAnswer, prove
from service.engine.errors import EngineError, MemoryLimit
from service.engine.jobs import Job, Result
from service.heap import keep_memory
from service.memory_budget import LEAST_JOB_BYTES, THREAD_ADDRESSES

PR_SET_PDEATHSIG = 1
OOM_SCORE = "500"

Perform = Callable[[Job, int], Result]


class Cramped(Exception):
    """The system allows this process too little memory for jobs; everybody may read the message."""


def perform_with_engine(job: Job, threads: int) -> Result:
    """Run the job with the engine that preload.py has imported; the server itself never loads it."""
    return _engine()(job, threads)


@cache
def _engine() -> Perform:
    perform: Perform = pkgutil.resolve_name("service.engine.jobs.pipeline:perform")
    return perform


def serve(
    server: socket.socket, address: Address | None, perform: Perform, memory: int, threads: int, *, compiled: bool
) -> None:
    """Test the engine, report the outcome, then run the server's jobs until it closes the connection.

    Without `compiled` no compiled loop is used. The report also says whether the server's memory files can be opened.
    """
    _live_apart()
    with suppress(EOFError, ConnectionError):  # the server has gone
        _serve(server, address, perform, memory, threads, compiled=compiled)


def _serve(
    server: socket.socket, address: Address | None, perform: Perform, memory: int, threads: int, *, compiled: bool
) -> None:
    room = bytearray(ROOM)
    extra = memory + threads * THREAD_ADDRESSES + 2 * KEPT
    try:
        loaded = _load() if compiled else _forget()
        prove(perform)
        _bound_memory(extra, memory)
    except BaseException as error:  # SystemExit must be reported too
        server.sendall(framed(Unfit(_reason(error), traceback.format_exc())))
        return
    server.sendall(framed(Fit(reachable(address), loaded, os.getppid())))
    while True:
        asked = receive(server, room)
        if asked == LOAD:
            server.sendall(framed(_load()))
            _bound_memory(extra, memory)
        else:
            server.sendall(answer(_work(perform, *job_of(asked))))


def _reason(error: BaseException) -> str:
    match error:
        case Cramped() | WrongAnswer():
            return str(error) if isinstance(error, Cramped) else WRONG
        case ImportError():
            return "the engine cannot be imported"
        case MemoryError():
            return "there is too little memory to load the engine"
        case _:
            return "the engine fails on its test picture"


def _load() -> Loaded:
    """Load the compiled loops; if that fails, the worker goes on with what it has."""
    compiled = import_module("service.engine.machine.compiled")
    try:
        compiled.load()
    except Exception:
        return Loaded(compiled.share(), traceback.format_exc())
    return Loaded(compiled.share())


def _forget() -> Loaded:
    import_module("service.engine.machine.compiled").forget()
    return Loaded(0.0)


def _live_apart() -> None:
    """Make this process safe to kill at any moment."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server, which lets jobs finish
    signal.signal(NEWS, signal.SIG_IGN)
    if sys.platform == "linux":
        _die_with_the_others()
        _die_before_the_others()
        keep_memory()


def _work(perform: Perform, job: Job, body: Parcel, address: Address | None, threads: int) -> Reply:
    """Run one job; its body and its answer travel separately."""
    try:
        result = perform(job._replace(body=open_parcel(body)), threads)
        return Done(result, send_back(result.body, address))
    except EngineError as error:
        return error
    except MemoryError:
        bound = job.limits.max_memory_bytes
        return MemoryLimit(f"the job needs more than {bound:,} bytes (max_memory_bytes)")
    except BaseException:  # SystemExit must not end the process either
        return Failed(traceback.format_exc())


if sys.platform == "linux":
    import fcntl
    import resource

    def _die_with_the_others() -> None:
        """End with the fork server and with the server, even in a loop that never returns to the interpreter.

        The fork server is the parent. The server holds the other end of a pipe; when it is gone the kernel sends
        SIGIO, which ends a process by default.
        """
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if server := multiprocessing.parent_process():
            fcntl.fcntl(server.sentinel, fcntl.F_SETOWN, os.getpid())
            flags = fcntl.fcntl(server.sentinel, fcntl.F_GETFL)
            fcntl.fcntl(server.sentinel, fcntl.F_SETFL, flags | os.O_ASYNC)

    def _die_before_the_others() -> None:
        """Be the first that the kernel kills when memory is short, and leave no picture in a core dump."""
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as score:
            score.write(OOM_SCORE)

    def _bound_memory(extra: int, job: int) -> None:
        """Bound the address space to what is used now plus `extra` bytes, `job` of which are a job's own.

        A bound set earlier (`ulimit -v`) stays; raises Cramped if it leaves a job too little.
        """
        with open("/proc/self/statm", encoding="ascii") as statm:
            used = int(statm.read().split()[0]) * resource.getpagesize()
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        wanted = used + extra
        if hard != resource.RLIM_INFINITY and wanted > hard:
            left, wanted = job - (wanted - hard), hard
            if left < min(job, LEAST_JOB_BYTES):
                raise Cramped(
                    f"the bound on address space (ulimit -v), {hard:,} bytes, is {LEAST_JOB_BYTES - left:,} too low"
                )
        resource.setrlimit(resource.RLIMIT_AS, (wanted, hard))

else:

    def _bound_memory(extra: int, job: int) -> None:
        """Do nothing: this platform has no such bound."""
