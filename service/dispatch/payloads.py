"""How bodies cross between the server and a worker: large ones in anonymous memory files, small ones in the message.

The server owns the files of a worker; the worker opens them as /proc/<server>/fd/<n>. Whatever becomes of the worker,
nothing is left behind. They are written over by the next job, because the first writing of a page is what costs: 4 MB
take 2.3 ms into a new file, 0.4 ms into a used one. Where there are no memory files, or /proc is hidden, everything
goes by the message.
"""

from __future__ import annotations

import asyncio
import mmap
import os
import sys
from contextlib import suppress
from dataclasses import dataclass

from service.engine.jobs import Buffer

SMALL = 64 * 1024
KEPT = 16 << 20
PIECE = 1 << 20


@dataclass(frozen=True)
class Shared:
    """A body in a memory file, which begins at its offset 0."""

    path: str
    size: int


Parcel = bytes | Shared


class MemoryFile:
    """An anonymous file in memory; `path` is where another process of this user finds it."""

    def __init__(self) -> None:
        if sys.platform != "linux":
            raise OSError("this platform has no memory files")
        self.descriptor = os.memfd_create("convserve", os.MFD_CLOEXEC)
        self.path = f"/proc/{os.getpid()}/fd/{self.descriptor}"

    def renew(self) -> None:
        """Put an empty file in the place of this one."""
        spare = MemoryFile()
        os.dup2(spare.descriptor, self.descriptor, inheritable=False)
        spare.close()

    def close(self) -> None:
        os.close(self.descriptor)


class Mailbox:
    """The two memory files of one worker, for one job at a time; `clear` it after each."""

    def __init__(self) -> None:
        self._files: tuple[MemoryFile, ...] = ()
        self._largest = 0
        with suppress(OSError):
            self._files = (MemoryFile(),)
            self._files += (MemoryFile(),)

    @property
    def address(self) -> str | None:
        """The path at which the worker leaves its answer; none if that goes by the message."""
        return self._files[1].path if len(self._files) == 2 else None

    async def send(self, body: Buffer) -> Parcel:
        """Make a body ready for the worker, in pieces small enough that the event loop answers others in between."""
        if len(body) < SMALL or not self.address:
            return bytes(body)
        inbox = self._files[0]
        self._largest = max(self._largest, len(body))
        view = memoryview(body).cast("B")
        for start in range(0, len(view), PIECE):
            if start:
                await asyncio.sleep(0)
            _write(inbox.descriptor, view[start : start + PIECE], start)
        return Shared(inbox.path, len(view))

    def receive(self, parcel: Parcel) -> Buffer:
        """Give the body that the worker sent with `send_back`; what is too large to be copied is a view of its file."""
        if isinstance(parcel, bytes):
            return parcel
        self._largest = max(self._largest, parcel.size)
        return _content(self._files[1].descriptor, parcel.size)

    def clear(self) -> None:
        """Take new files where the last job made them too large to be kept; views of the old ones stay good."""
        if self._largest > KEPT:
            self._largest = 0
            try:
                for file in self._files:
                    file.renew()
            except OSError:
                self.close()

    def close(self) -> None:
        """Free the memory; from now on everything goes by the message."""
        files, self._files = self._files, ()
        for file in files:
            file.close()


def open_parcel(parcel: Parcel) -> Buffer:
    """Give the body that the server sent; in a worker."""
    if isinstance(parcel, bytes):
        return parcel
    descriptor = os.open(parcel.path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return _content(descriptor, parcel.size)
    finally:
        os.close(descriptor)


def send_back(body: Buffer, address: str | None) -> Parcel:
    """Put the answer where the server finds it; in a worker."""
    if address is None or len(body) < SMALL:
        return bytes(body)
    descriptor = os.open(address, os.O_WRONLY | os.O_CLOEXEC)
    try:
        _write(descriptor, memoryview(body).cast("B"), 0)
    finally:
        os.close(descriptor)
    return Shared(address, len(body))


def _content(descriptor: int, size: int) -> Buffer:
    """Read a file that will be written over, or map one that will not."""
    if size <= KEPT:
        return os.pread(descriptor, size, 0)
    return memoryview(mmap.mmap(descriptor, size, prot=mmap.PROT_READ))


def _write(descriptor: int, view: memoryview, offset: int) -> None:
    while view:
        written = os.pwrite(descriptor, view, offset)
        view, offset = view[written:], offset + written
