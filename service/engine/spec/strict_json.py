"""Read JSON exactly as RFC 8259 defines it.

Python's own reader accepts more: NaN and Infinity, an object that names a member twice (the last one wins), escapes of
half a character. Two readers could understand such a document differently, so it is refused here.
"""

from __future__ import annotations

import gc
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from service.engine.errors import MalformedJson
from service.engine.spec.wording import shown

SENTENCES = {
    "Expecting property name": "a member's name in double quotes is expected",
    "Expecting ':'": "a colon is expected after the member's name",
    "Expecting ','": "a comma or a closing bracket is expected",
    "Expecting value": "a value is expected",
    "Unterminated string": "a string begins here and does not end",
    "Invalid control character": "a control character in a string must be escaped",
    "Invalid \\escape": "a backslash is followed by a character that cannot be escaped",
    "Invalid \\uXXXX": "\\u must be followed by four hexadecimal digits",
    "Extra data": "the document has ended, and more text follows",
    "Illegal trailing comma": "a comma stands before a closing bracket",
}
"""This service's sentence, by the beginning of the reader's message."""

_STRING = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
"""Possessive: backtracking points for each character of a long string would take gigabytes."""
_CONSTANT = re.compile(rf"{_STRING}|(NaN|-?Infinity)", re.DOTALL)
_LONG_INTEGER = re.compile(rf"{_STRING}|([0-9]{{4300}})", re.DOTALL)
_PAIR = r"u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_LONE_SURROGATE = re.compile(rf"\\(?:{_PAIR}|(u[dD][89a-fA-F][0-9a-fA-F]{{2}})|.)", re.DOTALL)
"""In a valid document each backslash begins an escape; group 1 is the escape of half a character."""


class _Constant(Exception):
    pass


class _Duplicate(Exception):
    pass


def loads(text: bytes | bytearray | memoryview | str) -> object:
    """Read one JSON document; bytes must be UTF-8. Raises MalformedJson, with line and column if known.

    A number beyond the range of float64 (1e400) becomes infinity; the field's own check refuses it and names the place.
    """
    document = _checked(text) if isinstance(text, str) else _decoded(text)
    if document.startswith("\ufeff"):
        _refuse(document, 0, "the document begins with a byte order mark, which JSON does not allow")
    if not document.strip(" \t\r\n"):
        raise MalformedJson("the JSON document is empty")
    try:
        with _no_collection():
            content: object = _DECODER.decode(document)
    except json.JSONDecodeError as error:
        _refuse(document, error.pos, _sentence(error.msg))
    except _Constant as constant:
        _refuse(document, _first(_CONSTANT, document), f"{constant} is not a number in JSON")
    except _Duplicate as name:
        raise MalformedJson(f"the JSON document is malformed: an object names the member {name} twice") from None
    except RecursionError:
        raise MalformedJson("the JSON document is malformed: lists or objects are nested too deeply") from None
    except ValueError:  # the interpreter reads integers of at most 4300 digits
        _refuse(document, _first(_LONG_INTEGER, document), "an integer has more than 4300 digits")
    if "\\u" in document and (place := _first(_LONE_SURROGATE, document)) is not None:
        _refuse(document, place, "an escape stands for half a character (a lone surrogate)")
    return content


@contextmanager
def _no_collection() -> Iterator[None]:
    """Keep the garbage collector from scanning a growing document: millions of lists took four times as long."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _checked(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        _refuse(text, error.start, "half a character (a lone surrogate) stands in the text")
    return text


def _decoded(text: bytes | bytearray | memoryview) -> str:
    try:
        return str(text, "utf-8")
    except UnicodeDecodeError as error:
        before = bytes(text[: error.start]).decode("utf-8")
        _refuse(before, len(before), "the text is not UTF-8")


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise _Duplicate(shown(name))
            seen.add(name)
    return members


def _constant(name: str) -> NoReturn:
    raise _Constant(name)


def _first(pattern: re.Pattern[str], document: str) -> int | None:
    return next((match.start() for match in pattern.finditer(document) if match[1] is not None), None)


def _sentence(message: str) -> str:
    return next((own for begin, own in SENTENCES.items() if message.startswith(begin)), "this is not JSON")


def _refuse(document: str, place: int | None, what: str) -> NoReturn:
    if place is None:
        raise MalformedJson(f"the JSON document is malformed: {what}") from None
    line = document.count("\n", 0, place) + 1
    column = place - document.rfind("\n", 0, place)
    raise MalformedJson(f"the JSON document is malformed at line {line}, column {column}: {what}") from None


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant)
