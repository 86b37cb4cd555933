"""Raw connections: bytes out, answers in, none of them read beyond its end."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email.message import Message
from http.client import BadStatusLine, HTTPException, HTTPResponse
from io import BufferedReader
from threading import Thread
from typing import Any, cast
from urllib.parse import urlsplit

from tests.hostile.case import Verdict

PATIENCE = 20.0


class _Stream(BufferedReader):
    """What comes over a connection; an answer that was read to its end does not close it."""

    def close(self) -> None:
        pass


class Wire:
    """One connection."""

    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected
        self._stream = _Stream(socket.SocketIO(connected, "r"))

    def makefile(self, *_: Any) -> BufferedReader:
        return self._stream

    def send(self, data: bytes) -> Thread:
        """Send in the background, as much as the server takes."""

        def sending() -> None:
            with suppress(OSError):
                self.socket.sendall(data)

        thread = Thread(target=sending, daemon=True)
        thread.start()
        return thread

    def answer(self, method: str = "GET") -> tuple[Verdict, HTTPResponse, bytes] | None:
        """Read one answer; None where the server closed instead."""
        response = HTTPResponse(cast(socket.socket, self), method=method)
        try:
            response.begin()
        except (BadStatusLine, ConnectionError):
            return None
        content = response.read()
        code = "" if response.status == 200 else json.loads(content or b'{"code": ""}')["code"]
        return (response.status, code), response, content

    def headers(self) -> Message:
        """Read the head of an answer, whose body `read` gives."""
        response = HTTPResponse(cast(socket.socket, self))
        response.begin()
        return response.headers

    def read(self, most: int) -> bytes:
        """Read some of what follows; nothing where the server has closed."""
        try:
            return self._stream.read1(most)
        except ConnectionError:
            return b""

    def closed(self) -> bool:
        """Wait until the server closes; False where it goes on to say something."""
        try:
            return not self._stream.read(1)
        except ConnectionError:
            return True


@contextmanager
def wire(url: str, patience: float = PATIENCE) -> Iterator[Wire]:
    address = urlsplit(url)
    with socket.create_connection((address.hostname or "", address.port or 0), patience) as connected:
        yield Wire(connected)


__all__ = ["HTTPException", "Wire", "wire"]
