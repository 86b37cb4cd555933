"""Remove the blanks at the end of a multipart body's boundary lines (RFC 2046, section 5.1.1 allows them)."""

from __future__ import annotations

import re


class Unpadded:
    """Removes blanks between a boundary and its line end from a stream; the content of parts stays unchanged.

    A boundary cannot occur within a part, so each one at the start of a line is a delimiter. Only bytes that may be the
    beginning of a delimiter are held back.
    """

    def __init__(self, boundary: bytes) -> None:
        self._delimiter = b"\r\n--" + boundary
        self._held = b"\r\n"  # the first boundary may begin the stream

    def write(self, chunk: bytes) -> bytes:
        """Return the bytes that certainly belong to the stream so far."""
        data = self._held + chunk
        if self._delimiter + b" " in data or self._delimiter + b"\t" in data:
            # Compiled only if there are blanks: each request has its own boundary, and compiling takes a tenth of a ms.
            data = re.sub(re.escape(self._delimiter) + rb"[ \t]++(?=\r)", self._delimiter, data)
        start = data.rfind(b"\r")
        rest = data[start:] if start >= 0 else b""
        blanks = rest.startswith(self._delimiter) and not rest[len(self._delimiter) :].strip(b" \t")
        if blanks:  # however many there are: one stands for all
            self._held = rest[: len(self._delimiter) + 1]
        elif self._delimiter.startswith(rest):
            self._held = rest
        else:
            self._held, rest = b"", b""
        return data[: len(data) - len(rest)]

    def close(self) -> bytes:
        """Return the bytes held back."""
        return self._held
