"""Bodies between server and worker: large ones go through anonymous memory files, small ones with the message.

The server owns a worker's files; the worker opens them as /proc/<server>/fd/<n>. Whatever happens to the worker,
nothing is left behind. The next job overwrites them, because the first write to a page is what costs: 4 MB take 2.3 ms
in a new file and 0.4 ms in a used one. Both sides keep the beginning of each file mapped, as copying there is faster
than pwrite(2) and pread(2). Without memory files, or with /proc hidden, everything goes with the message.
"""

from __future__ import annotations

import asyncio
import mmap
import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from itertools import count
from typing import NamedTuple

from service.engine.jobs import Buffer

if sys.platform == "linux":
    import fcntl

SMALL = 64 * 1024
KEPT = 16 << 20
"""Bytes of a file that are mapped; a file that has grown beyond this is replaced."""
PIECE = 1 << 20

_numbers = count()


class Address(NamedTuple):
    """Where a worker finds a memory file. The path may later lead to another file, which then has another number."""

    path: str
    number: int


@dataclass(frozen=True)
class Shared:
    """A body at the beginning of a memory file."""

    address: Address
    size: int


Parcel = bytes | Shared


class MemoryFile:
    """An anonymous file in memory, of which the first `KEPT` bytes are mapped."""

    def __init__(self) -> None:
        if sys.platform != "linux":
            raise OSError("this platform has no memory files")
        self.descriptor = os.memfd_create("convserve", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            os.ftruncate(self.descriptor, KEPT)
            # A worker that shortened the file would kill the server at its next access to the mapping (SIGBUS).
            fcntl.fcntl(self.descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK)
            self._beginning = memoryview(mmap.mmap(self.descriptor, KEPT))
        except OSError:
            self.close()
            raise
        self.address = Address(f"/proc/{os.getpid()}/fd/{self.descriptor}", next(_numbers))

    def write(self, piece: memoryview, offset: int) -> None:
        if offset + len(piece) <= KEPT:
            self._beginning[offset : offset + len(piece)] = piece
        else:
            _write(self.descriptor, piece, offset)

    def read(self, size: int) -> Buffer:
        """Copy what will be overwritten, or map what will not."""
        if size <= KEPT:
            return bytes(self._beginning[:size])
        return memoryview(mmap.mmap(self.descriptor, size, prot=mmap.PROT_READ))

    def renew(self) -> None:
        """Replace this file by an empty one."""
        spare = MemoryFile()
        os.dup2(spare.descriptor, self.descriptor, inheritable=False)
        self._beginning, self.address = spare._beginning, self.address._replace(number=spare.address.number)
        spare.close()

    def close(self) -> None:
        os.close(self.descriptor)


class Mailbox:
    """The two memory files of one worker, for one job at a time; call `clear` after each."""

    def __init__(self) -> None:
        self._files: tuple[MemoryFile, ...] = ()
        self._largest = 0
        with suppress(OSError):
            self._files = (MemoryFile(),)
            self._files += (MemoryFile(),)

    @property
    def address(self) -> Address | None:
        """Where the worker leaves its answer; None if that goes with the message."""
        return self._files[1].address if len(self._files) == 2 else None

    async def send(self, body: Buffer) -> Parcel:
        """Pass a body to the worker, in pieces so small that the event loop can serve others in between."""
        if len(body) < SMALL or not self.address:
            return bytes(body)
        inbox = self._files[0]
        self._largest = max(self._largest, len(body))
        view = memoryview(body).cast("B")
        for start in range(0, len(view), PIECE):
            if start:
                await asyncio.sleep(0)
            inbox.write(view[start : start + PIECE], start)
        return Shared(inbox.address, len(view))

    def receive(self, parcel: Parcel) -> Buffer:
        """Return the body that the worker sent with `send_back`; a view of its file if it is too large to copy."""
        if isinstance(parcel, bytes):
            return parcel
        self._largest = max(self._largest, parcel.size)
        return self._files[1].read(parcel.size)

    def clear(self) -> None:
        """Replace files that the last job made too large to keep; views of the old ones stay valid."""
        if self._largest > KEPT:
            self._largest = 0
            try:
                for file in self._files:
                    file.renew()
            except OSError:
                self.close()

    def close(self) -> None:
        """Free the memory; from now on everything goes with the message."""
        files, self._files = self._files, ()
        for file in files:
            file.close()


def reachable(address: Address | None) -> bool:
    """Tell whether answers can be left there; called in a worker."""
    try:
        return address is not None and bool(_beginning(address))
    except OSError:
        return False


def open_parcel(parcel: Parcel) -> Buffer:
    """Return the body that the server sent, valid until the next one comes; called in a worker."""
    if isinstance(parcel, bytes):
        return parcel
    if parcel.size <= KEPT:
        return _beginning(parcel.address)[: parcel.size].toreadonly()
    descriptor = os.open(parcel.address.path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return memoryview(mmap.mmap(descriptor, parcel.size, prot=mmap.PROT_READ))
    finally:
        os.close(descriptor)


def send_back(body: Buffer, address: Address | None) -> Parcel:
    """Put the answer where the server finds it; called in a worker."""
    if address is None or len(body) < SMALL:
        return bytes(body)
    view = memoryview(body).cast("B")
    _beginning(address)[: len(view)] = view[:KEPT]
    if len(view) > KEPT:
        descriptor = os.open(address.path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            _write(descriptor, view[KEPT:], KEPT)
        finally:
            os.close(descriptor)
    return Shared(address, len(view))


@lru_cache(maxsize=2)
def _beginning(address: Address) -> memoryview:
    """Map the first `KEPT` bytes of a file of the mailbox; both stay mapped until they are replaced."""
    descriptor = os.open(address.path, os.O_RDWR | os.O_CLOEXEC)
    try:
        return memoryview(mmap.mmap(descriptor, KEPT))
    finally:
        os.close(descriptor)


def _write(descriptor: int, view: memoryview, offset: int) -> None:
    while view:
        written = os.pwrite(descriptor, view, offset)
        view, offset = view[written:], offset + written
