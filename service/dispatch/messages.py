"""The messages between server and worker: a length, then a pickle of plain values.

Objects would be pickled with the names of their classes, and looking these up takes 10 µs each way.
"""

from __future__ import annotations

import pickle
import signal
import socket
import struct
from dataclasses import dataclass, fields
from functools import lru_cache
from operator import attrgetter
from typing import Any

from service.dispatch.payloads import SMALL, Address, Parcel, Shared
from service.engine.errors import EngineError
from service.engine.figures.view import View
from service.engine.jobs import Job, Result
from service.engine.jobs.timings import Timing
from service.engine.machine.limits import Limits

LENGTH = struct.Struct("!Q")
ROOM = 2 * SMALL
"""Bytes for a message together with its body."""

_limits = lru_cache(Limits)  # a server has only one set of them
_bounds = attrgetter(*(field.name for field in fields(Limits)))


@dataclass(frozen=True)
class Done:
    """The result of a job; its body is the parcel."""

    result: Result
    body: Parcel


@dataclass(frozen=True)
class Failed:
    """An error the engine did not foresee: its traceback as text, as not every exception can be sent."""

    report: str


Reply = Done | EngineError | Failed

LOAD = "load"
"""Asks a worker to load the loops compiled since it last did; it answers `Loaded`."""


NEWS = signal.SIGUSR1
"""Asks the fork server for the same."""


@dataclass(frozen=True)
class Loaded:
    """The share of the loops that the worker has loaded; `report` is the traceback if one failed."""

    compiled: float
    report: str = ""


@dataclass(frozen=True)
class Fit:
    """A worker's first message: it has answered its test picture correctly.

    `by_memory` tells whether it can open memory files; `parent` is the process id of the fork server.
    """

    by_memory: bool
    loaded: Loaded
    parent: int


@dataclass(frozen=True)
class Unfit:
    """Why a worker ends before its first job, in words for everybody; `report` is a traceback for the log."""

    reason: str
    report: str


def question(job: Job, body: Parcel, address: Address | None, threads: int) -> bytes:
    """Write a job, without its body, and where its answer should go."""
    how = (job.received, job.form, job.spec, job.preset, job.answer, tuple(job.view))
    return framed((job.kind, _bounds(job.limits), how, _plain(body), address and tuple(address), threads))


def job_of(asked: tuple[Any, ...]) -> tuple[Job, Parcel, Address | None, int]:
    """Read a question: the job without its body, the body, the address for the answer, and the threads."""
    kind, bounds, (received, form, spec, preset, answer, view), body, address, threads = asked
    job = Job(kind, b"", _limits(*bounds), received, form, spec, preset, answer, View(*view))
    return job, _parcel(body), address and Address(*address), threads


def answer(reply: Reply) -> bytes:
    """Write a worker's reply."""
    if not isinstance(reply, Done):
        return framed(reply)
    result = reply.result
    timings = tuple(map(tuple, result.timings))
    return framed((_plain(reply.body), result.media_type, timings, result.origin, result.size))


def reply_of(answered: object) -> Any:
    """Read an answer; other messages of a worker are returned as they are."""
    if not isinstance(answered, tuple):
        return answered
    body, media_type, timings, origin, size = answered
    return Done(Result(b"", media_type, tuple(Timing(*timing) for timing in timings), origin, size), _parcel(body))


def _plain(parcel: Parcel) -> Any:
    return parcel if isinstance(parcel, bytes) else (*parcel.address, parcel.size)


def _parcel(plain: Any) -> Parcel:
    if isinstance(plain, bytes):
        return plain
    *address, size = plain
    return Shared(Address(*address), size)


def framed(message: object) -> bytes:
    content = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    return LENGTH.pack(len(content)) + content


def whole(received: bytes | bytearray) -> bool:
    """Tell whether a whole message has arrived."""
    return len(received) >= LENGTH.size and len(received) >= LENGTH.size + LENGTH.unpack_from(received)[0]


def content(received: bytes | bytearray | memoryview) -> Any:
    """Read a whole message."""
    return pickle.loads(memoryview(received)[LENGTH.size :])  # noqa: S301 - our own process


def receive(connection: socket.socket, room: bytearray) -> Any:
    """Wait for a message; raises EOFError. One that fits into `room` takes a single system call."""
    size = 0
    while size < LENGTH.size:
        size += _some(connection, memoryview(room)[size:])
    end = LENGTH.size + LENGTH.unpack_from(room)[0]
    buffer = room if end <= len(room) else room + bytes(end - len(room))
    view = memoryview(buffer)[:end]
    while size < end:
        size += _some(connection, view[size:])
    return content(view)


def _some(connection: socket.socket, view: memoryview) -> int:
    size = connection.recv_into(view)
    if not size:
        raise EOFError
    return size
