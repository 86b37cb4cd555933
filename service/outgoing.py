"""Count how many of the bytes written to a connection have been taken."""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
from contextlib import suppress

Data = bytes | bytearray | memoryview
_ACKNOWLEDGED = struct.Struct("=120xQ")
"""The place of tcpi_bytes_acked in Linux's struct tcp_info."""


class Outgoing:
    """Counts the bytes written to a transport, and those that have arrived at the other end.

    Linux reports the bytes that the client's system has acknowledged; elsewhere the count is of bytes that have left
    this process. Buffers of several megabytes lie between the two, so only the first shows whether a slow client reads.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        transport.set_write_buffer_limits(high=0)  # writing resumes once this buffer is empty
        self._transport = transport
        self._socket = transport.get_extra_info("socket")
        self.written = self._left = 0
        self.broken = False
        self._before = self._acknowledged() or 0

    def write(self, *pieces: Data) -> None:
        if self._transport.is_closing():  # the bytes would be dropped silently
            self.broken = True
            return
        self.written += sum(map(len, pieces))
        if len(pieces) == 1:
            self._transport.write(pieces[0])
        else:
            self._transport.writelines(pieces)

    @property
    def sent(self) -> int:
        """The bytes that this process has handed on."""
        return self.written - self._transport.get_write_buffer_size()

    def taken(self) -> int:
        """Count the bytes that the other end has received, as far as the system tells."""
        acknowledged = self._acknowledged()
        if acknowledged is not None:
            return min(self.written, acknowledged - self._before)
        if not self._transport.is_closing():  # a cut connection discards its buffer
            self._left = self.sent
        return self._left

    def _acknowledged(self) -> int | None:
        if sys.platform != "linux" or self._socket is None:
            return None
        with suppress(OSError, struct.error):  # no TCP, or an old kernel
            info = self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 2 * _ACKNOWLEDGED.size)
            acknowledged: int = _ACKNOWLEDGED.unpack_from(info)[0]
            return acknowledged
        return None
