"""Parts of a multipart/form-data body (RFC 7578), gathered in memory while it arrives."""

from __future__ import annotations

from collections.abc import Sequence

from python_multipart.multipart import MultipartParser, MultipartState, parse_options_header

from service.engine.errors import AmbiguousRequest
from service.routes.errors import MalformedMultipart

_PLAIN_ENCODINGS = frozenset({b"", b"7bit", b"8bit", b"binary"})


class Parts:
    """The parts of the names that are known; one twice and an unknown one are refused as soon as they begin.

    Starlette's own parser holds a text field to 1 MB and writes files to disk.
    """

    def __init__(self, boundary: bytes, names: Sequence[str]) -> None:
        self.found: dict[str, bytearray] = {}
        self._names = names
        self._header = bytearray()
        self._value = bytearray()
        self._disposition: bytes | None = None
        self._encoding = b""
        self._data = bytearray()
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._header_field,
                "on_header_value": self._header_value,
                "on_header_end": self._header_end,
                "on_headers_finished": self._headers_finished,
                "on_part_data": self._part_data,
            },
        )

    def write(self, chunk: bytes) -> None:
        self._parser.write(chunk)

    def close(self) -> None:
        """Check that the body came to its end; the parser itself takes half a body for a whole one."""
        if self._parser.state != MultipartState.END:
            raise MalformedMultipart("the body ends before its closing boundary")

    def _begin(self) -> None:
        self._disposition, self._encoding = None, b""
        self._header.clear()
        self._value.clear()

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        name = bytes(self._header).lower()
        if name == b"content-disposition":
            if self._disposition is not None:
                raise MalformedMultipart("a part has two headers Content-Disposition")
            self._disposition = bytes(self._value)
        elif name == b"content-transfer-encoding":
            self._encoding = bytes(self._value).strip().lower()
        self._header.clear()
        self._value.clear()

    def _headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        if b"name" not in options:
            raise MalformedMultipart("a part has no name in a header Content-Disposition")
        if self._encoding not in _PLAIN_ENCODINGS:
            raise MalformedMultipart("a part has a Content-Transfer-Encoding; parts are taken as plain bytes only")
        name = options[b"name"].decode("utf-8", "replace")
        if name not in self._names:
            raise AmbiguousRequest(f"the part {_shown(name)} is not known; the parts are {' and '.join(self._names)}")
        if name in self.found:
            raise AmbiguousRequest(f"the part '{name}' is there twice")
        self._data = self.found[name] = bytearray()

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        self._data += memoryview(data)[start:end]


def _shown(name: str) -> str:
    return repr(name if len(name) <= 64 else name[:64] + "…")
