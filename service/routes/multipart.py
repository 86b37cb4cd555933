"""Collect the parts of a multipart/form-data body (RFC 7578) in memory while it arrives."""

from __future__ import annotations

from collections.abc import Sequence

from multipart import MultipartError, MultipartSegment, PushMultipartParser

from service.engine.errors import AmbiguousRequest
from service.routes.errors import MalformedMultipart
from service.routes.padding import Unpadded

_PLAIN_ENCODINGS = frozenset({"", "7bit", "8bit", "binary"})


class Parts:
    """The parts with known names; a repeated or unknown part is refused as soon as it begins.

    Starlette's own parser limits a text field to 1 MB and writes files to disk.
    """

    def __init__(self, boundary: str, names: Sequence[str]) -> None:
        self._names = names
        self._pieces: dict[str, list[bytes]] = {}
        self._current: list[bytes] = []
        try:
            self._parser = PushMultipartParser(boundary, header_charset="latin-1")  # file names may be in any encoding
            self._unpadded = Unpadded(self._parser.boundary)
            self._delimiter = b"\r\n--" + self._parser.boundary
            self._preamble: bytes | None = b""
        except MultipartError as error:
            raise _malformed(error) from None

    def write(self, chunk: bytes) -> None:
        """Take in more of the body; raises MalformedMultipart, AmbiguousRequest."""
        self._parse(self._unpadded.write(chunk))

    def _parse(self, chunk: bytes) -> None:
        if self._preamble is not None:
            chunk = self._behind_preamble(self._preamble + chunk)
        if not chunk:  # an empty chunk would mean the end
            return
        try:
            for event in self._parser.parse(chunk):
                if isinstance(event, MultipartSegment):
                    self._begin(event)
                elif event:
                    self._current.append(event)
        except MultipartError as error:
            raise _malformed(error) from None

    def _behind_preamble(self, begin: bytes) -> bytes:
        """Drop the preamble before the first boundary; the parser may or may not accept it, by the network's cuts."""
        place = begin.find(self._delimiter)
        self._preamble = begin[1 - len(self._delimiter) :] if place < 0 else None
        return b"" if place < 0 else begin[place:]

    def close(self) -> None:
        """Check that the body was complete."""
        self._parse(self._unpadded.close())
        try:
            self._parser.close()
        except MultipartError:
            raise MalformedMultipart("the body ends before its closing boundary") from None

    def part(self, name: str) -> bytes | None:
        """Return the content of a part, if it came."""
        pieces = self._pieces.get(name)
        return None if pieces is None else b"".join(pieces)

    def _begin(self, part: MultipartSegment) -> None:
        # whether the parser accepts them depends on how the network cut the body
        if any(end in value for _, value in part.headerlist for end in "\r\n"):
            raise MalformedMultipart("a part has a header with a bare line break in it")
        if sum(name == "Content-Disposition" for name, _ in part.headerlist) > 1:
            raise MalformedMultipart("a part has two Content-Disposition headers")
        if not part.name:
            raise MalformedMultipart("a part has no name in its Content-Disposition header")
        if part.header("Content-Transfer-Encoding", "").strip().lower() not in _PLAIN_ENCODINGS:
            raise MalformedMultipart("a part has a Content-Transfer-Encoding; parts are taken as plain bytes only")
        if part.name not in self._names:
            raise AmbiguousRequest(
                f"the part {_shown(part.name)} is not known; the parts are {' and '.join(self._names)}"
            )
        if part.name in self._pieces:
            raise AmbiguousRequest(f"the part '{part.name}' is given twice")
        self._current = self._pieces[part.name] = []


def _malformed(error: MultipartError) -> MalformedMultipart:
    return MalformedMultipart(f"the body does not follow the multipart format of its boundary: {error.args[0]}")


def _shown(name: str) -> str:
    name = name.encode("latin-1").decode("utf-8", "replace")
    return repr(name if len(name) <= 64 else name[:64] + "…")
