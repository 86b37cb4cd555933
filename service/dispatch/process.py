"""One worker process, as the server sees it."""

from __future__ import annotations

import asyncio
import mmap
import multiprocessing
import os
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from multiprocessing import forkserver
from multiprocessing.context import ForkServerProcess
from time import perf_counter
from typing import Any

from service.dispatch import worker
from service.dispatch.admission import fail
from service.dispatch.errors import NeverBegun, WorkerCrashed, WorkerKilled
from service.dispatch.messages import content, question, reply_of, whole
from service.dispatch.payloads import Mailbox, Parcel
from service.dispatch.worker import Perform
from service.engine.jobs import Job

CONTEXT = multiprocessing.get_context("forkserver")
START_SECONDS = 600.0  # a first start compiles the loops
RESTART_SECONDS = 10.0
LOOK_SECONDS = 0.05
LAST_SECONDS = 1.0  # from when a process closes its files to when it is gone
KILLS = {-signal.SIGKILL, -signal.SIGTERM}
DIED = "the worker process died of this job; others are not affected"

_thread = ThreadPoolExecutor(1, thread_name_prefix="workers")
"""Trap: starting a process also reaps others, so that two threads could read the same exit status."""


def start_fork_server() -> None:
    """Begin to load the engine, once for all workers; returns at once. May be called early, and again."""
    CONTEXT.set_forkserver_preload(["service.dispatch.preload"])
    forkserver.ensure_running()


class WorkerProcess(asyncio.Protocol):
    """A process that does one job at a time, and the server's end of the pair of sockets between the two.

    The process alone has the other end: whatever it dies of, the kernel closes that, and this end is told. No two
    processes share a lock or a pipe, so that one which is killed in the middle of a message harms nobody else.
    """

    _loaded = False

    def __init__(self) -> None:
        self.jobs = 0
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

    async def start(self, perform: Perform, memory: int, threads: int) -> None:
        """Start the process and wait until it answers; raises what hinders it. To be closed in any case."""
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        with ours, theirs:
            arguments = (theirs, self.mailbox.address, perform, memory, threads)
            self._process = CONTEXT.Process(target=worker.serve, args=arguments, daemon=True)
            async with asyncio.timeout(RESTART_SECONDS if WorkerProcess._loaded else START_SECONDS):
                await loop.run_in_executor(_thread, _launch, self._process)
                theirs.close()
                self._transport, _ = await loop.create_unix_connection(lambda: self, sock=ours.dup())
                by_memory = await self._reply
        WorkerProcess._loaded = True
        if not by_memory:
            self.mailbox.close()
        with suppress(OSError):
            self._statm = os.open(f"/proc/{self._process.pid}/statm", os.O_RDONLY | os.O_CLOEXEC)
        self._bytes_at_start = self._own_bytes()

    def ask(self, job: Job, body: Parcel, threads: int, reply: asyncio.Future[Any]) -> None:
        """Send a job, the body of which goes by itself; the reply, or why there is none, comes as the future's."""
        self._reply = reply
        if self._ended.done() or not self._transport:
            fail(reply, NeverBegun("the worker had died before the job came"))
        else:
            self._transport.write(question(job, body, self.mailbox.address, threads))

    async def death(self) -> WorkerCrashed:
        """Say what the process has died of, once it has."""
        code = await asyncio.get_running_loop().run_in_executor(_thread, _exit_code, self._process)
        return (WorkerKilled if code in KILLS else WorkerCrashed)(DIED)

    def kept_bytes(self) -> int:
        """Tell how much more memory of its own the process has than when it was new; 0 where that is not known.

        It is looked at `LOOK_SECONDS` apart at least: to read a file of the kernel is dear beside a small job.
        """
        now = perf_counter()
        if now - self._looked >= LOOK_SECONDS:
            self._looked, self._kept = now, self._own_bytes() - self._bytes_at_start
        return self._kept

    async def close(self) -> None:
        """End the process at once, and free what belongs to it."""
        if self._process and self._process.pid is not None:
            self._process.kill()
            if self._transport:
                await self._ended
            await asyncio.get_running_loop().run_in_executor(_thread, _reap, self._process)
        if self._statm >= 0:
            os.close(self._statm)
        self.mailbox.close()  # not before the process is gone: it may be writing

    def data_received(self, data: bytes) -> None:
        """Take in a reply, or a part of one."""
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
            except Exception:  # a message that cannot be read
                self._reply.set_exception(WorkerCrashed(DIED))

    def connection_lost(self, error: Exception | None) -> None:
        """Learn that the process has ended; a job that it has not read resets the connection (unix(7))."""
        self._ended.set_result(None)
        if not self._reply.done():
            unread = isinstance(error, ConnectionError)
            self._reply.set_exception(NeverBegun("the worker died before it saw the job") if unread else EOFError())

    def _own_bytes(self) -> int:
        """Give the memory that the process shares with no file (proc(5), statm); 0 where that is not known."""
        try:
            _, resident, shared, *_ = map(int, os.pread(self._statm, 256, 0).split())
        except (OSError, ValueError):
            return 0
        return (resident - shared) * mmap.PAGESIZE


def _launch(process: ForkServerProcess) -> None:
    start_fork_server()
    process.start()


def _exit_code(process: ForkServerProcess | None) -> int | None:
    if process is None:
        return None
    process.join(LAST_SECONDS)
    return process.exitcode


def _reap(process: ForkServerProcess) -> None:
    process.join()
    process.close()
