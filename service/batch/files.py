"""Read and write files; a result is written whole or not at all."""

from __future__ import annotations

import errno
import itertools
import mmap
import os
import stat
from pathlib import Path

from service.engine.codecs.sniff import sniff
from service.engine.jobs import Buffer
from service.routes.errors import BodyTooLarge

HEAD_BYTES = 4096
"""First bytes of a file, which tell its format."""
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}
_numbers = itertools.count()


class FileError(Exception):
    """A file cannot be read or written; `code` says which."""

    code = "file_error"

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class UnreadableFile(FileError):
    code = "unreadable_file"


class UnwritableFile(FileError):
    code = "unwritable_file"


class NoRoom(UnwritableFile):
    """Nothing can be written at all: the disk is full, a quota is used up, or the file system is read-only."""


def read(path: str, most_bytes: int) -> bytes:
    """Read an image; raises what `opened` raises."""
    try:
        with open(opened(path, most_bytes), "rb") as stream:
            return stream.read()
    except OSError as error:
        raise _unreadable(error) from None


def opened(path: str, most_bytes: int) -> int:
    """Open an image and return its descriptor.

    Raises UnreadableFile, UnsupportedFormat if the content is not a picture, and BodyTooLarge as the service would.
    """
    try:
        # Non-blocking: if the path is a pipe, opening would wait for a writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise _unreadable(error) from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise UnreadableFile("it is no regular file")
        if head := os.pread(descriptor, HEAD_BYTES, 0):
            sniff(head)
        if status.st_size > most_bytes:
            raise BodyTooLarge(
                f"the file has {status.st_size:,} bytes; at most {most_bytes:,} (max_body_bytes) are allowed", rest=0
            )
    except BaseException as error:
        os.close(descriptor)
        if isinstance(error, OSError):
            raise _unreadable(error) from None
        raise
    return descriptor


def mapped(path: str, most_bytes: int) -> Buffer:
    """Map the content of an image, so only the parts that are used are read; raises what `opened` raises."""
    descriptor = opened(path, most_bytes)
    try:
        if not os.fstat(descriptor).st_size:
            return b""
        return memoryview(mmap.mmap(descriptor, 0, prot=mmap.PROT_READ))
    except OSError as error:
        raise _unreadable(error) from None
    finally:
        os.close(descriptor)


def save(path: str, data: Buffer) -> None:
    """Write a result under another name beside its place, and rename it when it is complete and on disk.

    A killed process leaves a file with that other name, which begins with a dot; it is never taken for a result.
    Raises UnwritableFile and NoRoom.
    """
    folder = Path(path).parent
    part = folder / f".convserve-{os.getpid()}-{next(_numbers)}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            with part.open("xb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            part.replace(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    except OSError as error:
        kind = NoRoom if error.errno in FULL else UnwritableFile
        raise kind(f"its result cannot be written: {error.strerror}") from None


def _unreadable(error: OSError) -> UnreadableFile:
    return UnreadableFile(f"it cannot be read: {error.strerror}")
