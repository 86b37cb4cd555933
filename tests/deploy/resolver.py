"""A name server (RFC 1035) that knows one name, as an orchestrator's: it gives the addresses of the replicas."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from ipaddress import IPv4Address

HEADER = struct.Struct("!6H")
RECORD = struct.Struct("!3HIH")
ANSWER, NO_ERROR = 0x8000, 0x0400
POINTER_TO_NAME, A, INTERNET, LIFETIME = 0xC00C, 1, 1, 1


@contextmanager
def resolving(addresses: Sequence[str]) -> Iterator[str]:
    """Answer every question for an address with these; gives host and port of the name server."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(0.2)
        ended = threading.Event()
        thread = threading.Thread(target=_serve, args=(server, addresses, ended))
        thread.start()
        try:
            yield "{}:{}".format(*server.getsockname())
        finally:
            ended.set()
            thread.join()


def _serve(server: socket.socket, addresses: Sequence[str], ended: threading.Event) -> None:
    while not ended.is_set():
        try:
            question, client = server.recvfrom(4096)
        except TimeoutError:
            continue
        server.sendto(answer(question, addresses), client)


def answer(question: bytes, addresses: Sequence[str]) -> bytes:
    end = question.index(b"\0", HEADER.size) + 5
    (number, *_), (kind,) = HEADER.unpack_from(question), struct.unpack_from("!H", question, end - 4)
    found = addresses if kind == A else ()
    records = [
        RECORD.pack(POINTER_TO_NAME, A, INTERNET, LIFETIME, 4) + IPv4Address(address).packed for address in found
    ]
    head = HEADER.pack(number, ANSWER | NO_ERROR, 1, len(records), 0, 0)
    return head + question[HEADER.size : end] + b"".join(records)
