"""Parts of a multipart/form-data body (RFC 7578), gathered in memory while it arrives."""

from __future__ import annotations

import re
from collections.abc import Sequence

from python_multipart.multipart import parse_options_header

from service.engine.errors import AmbiguousRequest
from service.routes.errors import MalformedMultipart

LONGEST_BOUNDARY = 256
LONGEST_PADDING = 256
LONGEST_HEAD = 32 * 1024
MOST_HEADERS = 8
"""Of a part."""

_LINE_ENDS = re.compile(rb"[\r\n]*")
_BEHIND_BOUNDARY = re.compile(rb"--|[ \t]*\r\n")
_BEHIND_BOUNDARY_SO_FAR = re.compile(rb"-?|[ \t]{0,%d}\r?" % LONGEST_PADDING)
_HEADER = re.compile(rb"([A-Za-z0-9!#$%&'*+.^_`|~-]+):([^\r\n]*)")
_USUAL_DISPOSITION = re.compile(rb' *form-data; *name="(\w+)"(?:; *filename="[^";\\]*")?')
_PLAIN_ENCODINGS = frozenset({b"", b"7bit", b"8bit", b"binary"})


class Parts:
    """The parts of the names that are known; one twice and an unknown one are refused as soon as they begin.

    Starlette's own parser holds a text field to 1 MB and writes files to disk; that of python-multipart, which calls
    back for every part of every header, takes ten times as long.
    """

    def __init__(self, boundary: bytes, names: Sequence[str]) -> None:
        if len(boundary) > LONGEST_BOUNDARY:
            raise _malformed()
        self.found: dict[str, bytearray] = {}
        self._names = names
        self._boundary = b"\r\n--" + boundary
        self._rest = b""
        self._read = self._start
        self._data = bytearray()

    def write(self, chunk: bytes) -> None:
        """Take in some bytes; what cannot be told yet from the beginning of a boundary waits for the next ones."""
        data = self._rest + chunk
        place: int | None = 0
        while place is not None:
            done = place
            place = self._read(data, done)
        self._rest = data[done:]

    def close(self) -> None:
        """Check that the body came to its end."""
        if self._read != self._epilogue:
            raise MalformedMultipart("the body ends before its closing boundary")

    def _start(self, data: bytes, place: int) -> int | None:
        """Read the first boundary, before which nothing stands but ends of lines.

        This method and those like it read on from a place, and give that which they have read to, or None where they
        need more.
        """
        opening = self._boundary[2:]
        matched = _LINE_ENDS.match(data, place)
        start = matched.end() if matched else place
        if not opening.startswith(data[start : start + len(opening)]):
            raise _malformed()
        end = start + len(opening)
        behind = _BEHIND_BOUNDARY.match(data, end)
        if behind:
            return self._go_on(behind)
        if end <= len(data) and not _BEHIND_BOUNDARY_SO_FAR.fullmatch(data, end):
            raise _malformed()
        return None

    def _go_on(self, behind: re.Match[bytes]) -> int:
        self._read = self._epilogue if behind[0] == b"--" else self._head
        return behind.end()

    def _head(self, data: bytes, place: int) -> int | None:
        """Read the headers of a part."""
        if data.startswith(b"\r\n", place):
            raise _nameless()
        end = data.find(b"\r\n\r\n", place, place + LONGEST_HEAD)
        if end < 0:
            if len(data) - place >= LONGEST_HEAD:
                raise _malformed()
            return None
        self._begin(data[place:end].split(b"\r\n"))
        self._read = self._content
        return end + 4

    def _begin(self, lines: list[bytes]) -> None:
        """Begin the part that has these headers."""
        if len(lines) > MOST_HEADERS:
            raise _malformed()
        disposition, encoding = None, b""
        for line in lines:
            header = _HEADER.fullmatch(line)
            if not header:
                raise _malformed()
            field, value = header[1].lower(), header[2]
            if field == b"content-disposition":
                if disposition is not None:
                    raise MalformedMultipart("a part has two headers Content-Disposition")
                disposition = value
            elif field == b"content-transfer-encoding":
                encoding = value.strip().lower()
        name = _name(disposition)
        if encoding not in _PLAIN_ENCODINGS:
            raise MalformedMultipart("a part has a Content-Transfer-Encoding; parts are taken as plain bytes only")
        if name not in self._names:
            raise AmbiguousRequest(f"the part {_shown(name)} is not known; the parts are {' and '.join(self._names)}")
        if name in self.found:
            raise AmbiguousRequest(f"the part '{name}' is there twice")
        self._data = self.found[name] = bytearray()

    def _content(self, data: bytes, place: int) -> int | None:
        """Read the content of a part, up to a boundary and what has to follow it."""
        found = data.find(self._boundary, place)
        certain = found if found >= 0 else max(place, len(data) - len(self._boundary) + 1)
        self._data += memoryview(data)[place:certain]
        if found >= 0:
            end = found + len(self._boundary)
            behind = _BEHIND_BOUNDARY.match(data, end)
            if behind:
                return self._go_on(behind)
            if not _BEHIND_BOUNDARY_SO_FAR.fullmatch(data, end):  # it was none
                self._data += self._boundary
                return end
        return certain if certain > place else None

    def _epilogue(self, data: bytes, place: int) -> int | None:
        """Pass over what follows the last boundary."""
        return len(data) if place < len(data) else None


def _name(disposition: bytes | None) -> str:
    usual = _USUAL_DISPOSITION.fullmatch(disposition or b"")
    if usual:
        return usual[1].decode("ascii")
    _, options = parse_options_header(disposition)
    if b"name" not in options:
        raise _nameless()
    return options[b"name"].decode("utf-8", "replace")


def _nameless() -> MalformedMultipart:
    return MalformedMultipart("a part has no name in a header Content-Disposition")


def _malformed() -> MalformedMultipart:
    return MalformedMultipart("the body does not follow the multipart format of its boundary")


def _shown(name: str) -> str:
    return repr(name if len(name) <= 64 else name[:64] + "…")
