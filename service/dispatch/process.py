"""One worker process, as the server sees it."""

from __future__ import annotations

import asyncio
import errno
import mmap
import multiprocessing
import os
import signal
import socket
import traceback
from contextlib import suppress
from multiprocessing import forkserver
from multiprocessing.context import ForkServerProcess
from time import perf_counter
from typing import Any, cast

from service.dispatch import worker
from service.dispatch.admission import fail
from service.dispatch.aside import Aside
from service.dispatch.errors import NeverBegun, WorkerCrashed, WorkerKilled
from service.dispatch.messages import LOAD, Fit, Loaded, Unfit, content, framed, question, reply_of, whole
from service.dispatch.payloads import Mailbox, Parcel
from service.dispatch.worker import Perform
from service.engine.jobs import Job

CONTEXT = multiprocessing.get_context("forkserver")
START_SECONDS = 120.0  # the fork server may be loading the engine on a slow machine
LOOK_SECONDS = 0.05
LAST_SECONDS = 1.0  # between a process closing its files and its end
KILLS = {-signal.SIGKILL, -signal.SIGTERM}
DIED = "the worker process died of this job; others are not affected"
KILLED = "the worker process was killed from outside; where memory is short, the kernel does that"

_aside = Aside("workers")
"""Trap: starting a process also reaps others, so two threads could read the same exit status."""


class NotStarted(Exception):
    """A worker could not start: `reason` is for everybody, `report` for the log."""

    def __init__(self, reason: str, report: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.report = report


def start_fork_server(*, compiled: bool) -> None:
    """Begin to load the engine, once for all workers; returns at once. May be called early, and again.

    Without `compiled` no compiled loop is loaded; the workers are told the same.
    """
    loops = ["service.dispatch.preload_compiled"] if compiled else []
    CONTEXT.set_forkserver_preload(["service.dispatch.preload", *loops])
    forkserver.ensure_running()


class WorkerProcess(asyncio.Protocol):
    """A process that does one job at a time, and the server's end of the socket pair between the two.

    Only the process has the other end, so whatever it dies of, the kernel closes that and this end notices. No two
    processes share a lock or a pipe, so one that is killed in the middle of a message harms no other.

    `jobs` counts the jobs it was given; `compiled` is the share of the loops that it has loaded, and `parts` how many
    were on disk when it last loaded them. `parent` is the process id of the fork server.
    """

    def __init__(self) -> None:
        self.jobs = 0
        self.parts = 0
        self.compiled = 0.0
        self.parent = 0
        self.mailbox = Mailbox()
        loop = asyncio.get_running_loop()
        self._reply: asyncio.Future[Any] = loop.create_future()
        self._ended: asyncio.Future[None] = loop.create_future()
        self._process: ForkServerProcess | None = None
        self._transport: asyncio.WriteTransport | None = None
        self._received = bytearray()
        self._statm = -1
        self._bytes_at_start = self._kept = 0
        self._looked = 0.0
        self._closed = False

    async def start(self, perform: Perform, memory: int, threads: int, *, compiled: bool = False) -> Loaded:
        """Start the process and wait until it has tried the engine; raises NotStarted. Close it in any case."""
        try:
            async with asyncio.timeout(START_SECONDS):
                fit = await self._begin(perform, memory, threads, compiled=compiled)
        except TimeoutError:
            raise NotStarted(f"a worker does not start within {START_SECONDS:g} s", "") from None
        if not fit.by_memory:
            self.mailbox.close()
        self.compiled, self.parent = fit.loaded.compiled, fit.parent
        if self._process:
            with suppress(OSError):
                self._statm = os.open(f"/proc/{self._process.pid}/statm", os.O_RDONLY | os.O_CLOEXEC)
        self._bytes_at_start = self._own_bytes()
        return fit.loaded

    async def _begin(self, perform: Perform, memory: int, threads: int, *, compiled: bool) -> Fit:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            arguments, how = (theirs, self.mailbox.address, perform, memory, threads), {"compiled": compiled}
            process = CONTEXT.Process(target=worker.serve, args=arguments, kwargs=how, daemon=True)
            try:
                await _aside.call(_launch, process, compiled)
            except (EOFError, ConnectionError):
                raise NotStarted("the engine ends the process that loads it", traceback.format_exc()) from None
            except OSError as error:
                name = errno.errorcode.get(error.errno or 0, "")
                raise NotStarted(f"no process can be started {name}".rstrip(), traceback.format_exc()) from error
            self._process = process
            theirs.close()
            loop = asyncio.get_running_loop()
            self._transport, _ = await loop.create_unix_connection(lambda: self, sock=ours.dup())
            try:
                first = await self._reply
            except (EOFError, WorkerCrashed):
                raise NotStarted(f"a worker ends while it starts{await self._by_signal()}", "") from None
        if isinstance(first, Unfit):
            raise NotStarted(first.reason, first.report)
        return cast(Fit, first)

    async def load(self) -> Loaded:
        """Have the process load what was compiled since it last did; raises EOFError if it has ended."""
        loop = asyncio.get_running_loop()
        self._reply = loop.create_future()
        if self._ended.done() or not self._transport:
            raise EOFError
        kept = self._own_bytes() - self._bytes_at_start
        self._transport.write(framed(LOAD))
        try:
            async with asyncio.timeout(START_SECONDS):
                loaded: Loaded = await self._reply
        except (TimeoutError, WorkerCrashed):
            raise EOFError from None
        self.compiled = loaded.compiled
        self._bytes_at_start = self._own_bytes() - kept  # loops do not count as left over by jobs
        return loaded

    def ask(self, job: Job, body: Parcel, threads: int, reply: asyncio.Future[Any]) -> None:
        """Send a job, whose body is sent separately; the future gets the reply, or the error."""
        self._reply = reply
        if self._ended.done() or not self._transport:
            fail(reply, NeverBegun("the worker had died before the job came"))
        else:
            self._transport.write(question(job, body, self.mailbox.address, threads))

    async def death(self) -> WorkerCrashed | WorkerKilled:
        """Wait for the end of the process and say what it died of."""
        code = await self._exit_code()
        return WorkerKilled(KILLED) if code is None or code in KILLS else WorkerCrashed(DIED)

    async def _by_signal(self) -> str:
        code = await self._exit_code()
        return "" if code is None or code >= 0 else f" ({signal.Signals(-code).name})"

    async def _exit_code(self) -> int | None:
        """Return the exit status, or None if it is not known in time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(2 * LAST_SECONDS):  # the thread may be waiting for a process that starts
                return await _aside.call(_exit_code, self._process)
        return None

    def kept_bytes(self) -> int:
        """Return how many bytes of its own memory the process has gained since it was new; 0 if unknown.

        It looks at most every `LOOK_SECONDS`: next to a small job, reading a file of the kernel is expensive.
        """
        now = perf_counter()
        if now - self._looked >= LOOK_SECONDS:
            self._looked, self._kept = now, self._own_bytes() - self._bytes_at_start
        return self._kept

    async def close(self) -> None:
        """End the process at once and free its resources; may be called again."""
        if self._closed:
            return
        self._closed = True
        if self._process and self._process.pid is not None:
            self._process.kill()
            if self._transport:
                await self._ended
            await _aside.call(_reap, self._process)
        if self._statm >= 0:
            os.close(self._statm)
        self.mailbox.close()  # only after the process is gone: it may be writing

    def data_received(self, data: bytes) -> None:
        """Receive a reply, or part of one."""
        received: bytes | bytearray = data
        if self._received or not whole(data):
            self._received += data
            received = self._received
            if not whole(received):
                return
            self._received = bytearray()
        if not self._reply.done():
            try:
                self._reply.set_result(reply_of(content(received)))
            except Exception:  # the message cannot be read
                self._reply.set_exception(WorkerCrashed(DIED))

    def connection_lost(self, error: Exception | None) -> None:
        """Note that the process has ended; if it left a job unread, the connection was reset (unix(7))."""
        self._ended.set_result(None)
        if not self._reply.done():
            unread = isinstance(error, ConnectionError)
            self._reply.set_exception(NeverBegun("the worker died before it saw the job") if unread else EOFError())
            self._reply.exception()  # marks it as retrieved: whoever waited may have been cancelled

    def _own_bytes(self) -> int:
        """Return the memory that the process shares with no file (proc(5), statm); 0 if unknown."""
        try:
            _, resident, shared, *_ = map(int, os.pread(self._statm, 256, 0).split())
        except (OSError, ValueError):
            return 0
        return (resident - shared) * mmap.PAGESIZE


def _launch(process: ForkServerProcess, compiled: bool) -> None:  # noqa: FBT001
    start_fork_server(compiled=compiled)
    process.start()


def _exit_code(process: ForkServerProcess | None) -> int | None:
    if process is None:
        return None
    process.join(LAST_SECONDS)
    return process.exitcode


def _reap(process: ForkServerProcess) -> None:
    process.join()
    process.close()
