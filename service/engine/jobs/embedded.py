"""An image within a JSON document: base64 (RFC 4648, section 4), or a data: URI (RFC 2397)."""

from __future__ import annotations

import binascii
import re

import numpy as np

from service.engine.errors import InvalidImage
from service.engine.spec.wording import shown

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_SAYS_BASE64 = re.compile(r"; *base64 *\Z", re.IGNORECASE)
_LONGEST_HEAD = 1000
_WHITE = re.compile(r"[\t\n\v\f\r ]")
_STRANGER = re.compile(r"[^A-Za-z0-9+/=]")
_PERCENT = ord("%")
_HEX = np.full(256, -1, np.int16)
_HEX[np.frombuffer(b"0123456789abcdefABCDEF", np.uint8)] = [*range(16), *range(10, 16)]


def embedded_image(text: object) -> bytes:
    """Read the image from a string; raises InvalidImage, saying what is wrong with the string."""
    if not isinstance(text, str):
        raise InvalidImage('"image" must be a string: base64, or a data: URI').at("/image")
    try:
        return _of_data_uri(text) if text[:5].lower() == "data:" else _of_base64(text)
    except InvalidImage as error:
        raise error.at("/image") from None


def _of_data_uri(text: str) -> bytes:
    head, comma, data = text.partition(",")
    if not comma or len(head) > _LONGEST_HEAD:
        raise InvalidImage("the data: URI has no comma after its media type: data:image/…;base64,…")
    if _SAYS_BASE64.search(head):
        return _of_base64(_percent_decoded(data).decode("latin-1") if "%" in data else data)
    if "%" not in data:
        raise InvalidImage('the data: URI must say ";base64" before its comma, or be percent-encoded')
    return _percent_decoded(data)


def _percent_decoded(data: str) -> bytes:
    """Decode %XX in a single pass over arrays: a whole image may be percent-encoded."""
    if not data.isascii():
        raise InvalidImage("the data: URI holds characters that must be percent-encoded")
    codes = np.frombuffer(data.encode("ascii"), np.uint8)
    places = np.flatnonzero(codes == _PERCENT)
    digits = np.full((2, len(places)), -1, np.int16)
    for row, ahead in zip(digits, (1, 2), strict=True):
        inside = places + ahead < len(codes)
        row[inside] = _HEX[codes[places[inside] + ahead]]
    if (digits < 0).any():
        raise InvalidImage('the data: URI has a "%" without two hexadecimal digits behind it')
    decoded = codes.copy()
    decoded[places] = digits[0] * 16 + digits[1]
    kept = np.ones(len(codes), bool)
    kept[places + 1] = kept[places + 2] = False
    return decoded[kept].tobytes()


def _of_base64(text: str) -> bytes:
    if len(text) % 4 or text.endswith("==="):  # not every version of Python refuses this
        raise InvalidImage(_fault(text))
    try:
        return binascii.a2b_base64(text.encode("ascii"), strict_mode=True)
    except (ValueError, UnicodeEncodeError):
        raise InvalidImage(_fault(text)) from None


def _fault(text: str) -> str:
    """Say why a string is not base64.

    All of these could be decoded, but no two libraries agree on how: line ends are MIME's, "-" and "_" are base64url's,
    and a string without padding may have been cut.
    """
    if white := _WHITE.search(text):
        kind = "line ends" if white[0] in "\r\n" else "blanks"
        return (
            f'"image" is base64 with {kind} in it, the first behind {white.start():,} characters: send it in one piece'
        )
    if _SCHEME.match(text):
        return '"image" must be base64 or a data: URI; no picture is fetched from an address'
    stranger = _STRANGER.search(text)
    if stranger and stranger[0] in "-_":
        return '"image" is base64url, with "-" and "_": write it with "+" and "/" (RFC 4648, section 4)'
    if stranger:
        return f'"image" is not base64: {shown(stranger[0])} stands behind {stranger.start():,} characters'
    numbers = len(text.rstrip("="))
    if "=" in text[:numbers]:
        return '"image" is not base64: "=" stands before its end'
    padding, given = -numbers % 4, len(text) - numbers
    if padding == 3:
        return f'"image" is not base64: it ends in the middle, with {numbers:,} characters'
    return (
        f'"image" must end in {padding} "=" as padding, and ends in {given}: base64 comes in groups of four characters'
    )
