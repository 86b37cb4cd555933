"""What a client says over a raw connection, and the answers that are right."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import quote

from service.routes.sample import SAMPLE_PNG
from tests.hostile.case import Verdict

SPEC = '{"op":"conv","kernel":[[1]]}'
TARGET = f"/v1/filter?spec={quote(SPEC)}"
LIVEZ = b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"


@dataclass(frozen=True)
class Talk:
    """What is sent, and for each answer that must come the verdicts that are right.

    `silence` means that the server may also close without a word. `method` is that of the first request. No answer
    may have a header of `without`.
    """

    name: str
    sent: bytes
    answers: tuple[frozenset[Verdict], ...]
    silence: bool = False
    method: str = "GET"
    without: frozenset[str] = field(default=frozenset())


def talk(name: str, sent: bytes, *verdicts: Verdict, silence: bool = False, method: str = "GET") -> Talk:
    return Talk(name, sent, (frozenset(verdicts),), silence, method)


def request(method: str, target: str, *fields: str, body: bytes = b"", version: str = "1.1", host: str = "a") -> bytes:
    lines = [f"{method} {target} HTTP/{version}", *([f"Host: {host}"] if host else []), *fields]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def post(*fields: str, body: bytes = SAMPLE_PNG, target: str = TARGET, version: str = "1.1") -> bytes:
    """Write a sound filter request, with more header fields."""
    return request("POST", target, f"Content-Length: {len(body)}", *fields, body=body, version=version)


def chunked(*pieces: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + end
