"""What the workers of these tests do instead of convolving: the body says what."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from time import perf_counter

from service.dispatch.worker import perform_with_engine
from service.engine.errors import Fault, InvalidSpec
from service.engine.jobs import Job, Result
from service.engine.jobs.timings import Timing
from service.engine.machine.limits import Limits

PNG = b"\x89PNG\r\n\x1a\n"


def order(body: bytes, *, limits: Limits | None = None, spec: bytes | None = None) -> Job:
    """Make a job that arrived just now."""
    return Job("filter", body, limits or Limits(), perf_counter(), spec=spec)


def obey(job: Job, threads: int) -> Result:
    """Do what the first word of the body says; the rest is its argument. A picture is the engine's."""
    if bytes(job.body[:8]) == PNG:
        return perform_with_engine(job, threads)
    word, _, argument = bytes(job.body[:200]).partition(b" ")
    match word:
        case b"pid":
            body = str(os.getpid()).encode()
        case b"threads":
            body = str(threads).encode()
        case b"spin":
            Path(argument.decode()).write_text(str(os.getpid()), encoding="ascii")
            while True:
                pass
        case b"wait":
            wait_for(Path(argument.decode()))
            body = b"waited"
        case b"make":
            body = b"x" * int(argument)
        case b"take":
            body = str(len(bytearray(int(argument)))).encode()
        case b"exit":
            os._exit(3)
        case b"crash":
            os.kill(os.getpid(), signal.SIGSEGV)
            body = b""
        case b"kill":  # as the kernel does where memory is short
            os.kill(os.getpid(), signal.SIGKILL)
            body = b""
        case b"leave":
            raise SystemExit(3)
        case b"refuse":
            raise InvalidSpec.of([Fault("/spec/stride", "stride 0 is below 1")])
        case b"stumble":
            raise UnsendableError("first", "second")
        case b"loaded":
            body = ",".join(sorted(LOADED_BEFORE)).encode()
        case _:
            body = bytes(job.body)
    return Result(body, "text/plain", (Timing("decode", "", 0.5),), (1, 2), (3, 4))


def wait_for(path: Path) -> None:
    """Poll until the file is there."""
    while not path.exists():
        time.sleep(0.005)


class UnsendableError(Exception):
    """Cannot be unpickled: it takes two arguments and remembers one."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(first)
        self.second = second


LOADED_BEFORE = frozenset(sys.modules)
