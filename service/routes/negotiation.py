"""Choose the form of an answer by `Accept` (RFC 9110, section 12.5.1), reading the header leniently."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple, TypeVar

from starlette.datastructures import Headers

from service.routes.errors import NotAcceptable

_ENTRY = re.compile(r'(?:[^",]|"(?:[^"\\]|\\.)*+(?:"|\Z))++')
"""The text between two commas; a comma within a quoted string does not separate."""
_PARAMETER = re.compile(r'(?:[^";]|"(?:[^"\\]|\\.)*+(?:"|\Z))++')
_QUALITY = re.compile(r"0(\.\d*)?|1(\.0*)?", re.ASCII)
"""A weight may have more digits than the RFC allows, but ".2", which old versions of Java send, is not a weight."""
_RANGE = re.compile(r"\*|\*/\*|[^\s/;,*\"]+/(?:\*|[^\s/;,*\"]+)")

VARY = {"Vary": "Accept"}

Form = TypeVar("Form")


class _Range(NamedTuple):
    """A media range with its weight; other parameters are ignored."""

    name: str
    quality: float

    def precision(self, media_type: str) -> int:
        """Rate how exactly the range names a media type: 0 is not at all."""
        if self.name == media_type:
            return 3
        main, _, sub = self.name.partition("/")
        if sub == "*" and main == media_type.partition("/")[0]:
            return 2
        return int(self.name == "*/*")


def accept_of(headers: Headers) -> str | None:
    """Return the header `Accept`, joined if it came in several lines (RFC 9110, section 5.3)."""
    lines = headers.getlist("accept")
    return ", ".join(lines) if lines else None


def choose(accept: str | None, offers: Mapping[str, Form]) -> Form:
    """Choose among the offered media types: the highest weight wins, the first offer among equals.

    So a library's default, `application/json, text/plain, */*`, selects the first. No header accepts anything. Raises
    NotAcceptable if the header excludes or leaves out all of them.
    """
    best = _best(accept, tuple(offers))
    if best is None:
        raise NotAcceptable(f"this address answers with {' or '.join(offers)}; Accept names none of them", VARY)
    return offers[best]


@lru_cache(maxsize=64)  # there are only a few kinds of clients
def _best(accept: str | None, offers: tuple[str, ...]) -> str | None:
    ranges = _ranges(accept)
    weights = [_weight(media_type, ranges)[0] for media_type in offers]
    best = max(weights)
    return offers[weights.index(best)] if best else None


def prefers(accept: str | None, wanted: str, other: str) -> bool:
    """Tell whether one media type weighs more than another, or weighs as much and is named more exactly."""
    ranges = _ranges(accept)
    return _weight(wanted, ranges) > _weight(other, ranges)


def _weight(media_type: str, ranges: Iterable[_Range]) -> tuple[float, int]:
    """Return the weight of the range that names the type most exactly, and its precision."""
    precision, quality = max(((range_.precision(media_type), range_.quality) for range_ in ranges), default=(0, 0.0))
    return (quality, precision) if precision else (0.0, 0)


def _ranges(accept: str | None) -> list[_Range]:
    """Read the ranges; one that names no type is skipped. A header without entries accepts anything."""
    found, empty = [], True
    for item in _ENTRY.findall((accept or "").lower()):
        name, *parameters = (part.strip() for part in _PARAMETER.findall(item) or [""])
        empty = empty and not item.strip()
        if _RANGE.fullmatch(name):
            found.append(_Range("*/*" if name == "*" else name, _quality(parameters)))
    return [_Range("*/*", 1.0)] if empty else found


def _quality(parameters: Iterable[str]) -> float:
    """Read the weight; an unreadable one counts as 1."""
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            return float(value.strip()) if _QUALITY.fullmatch(value.strip()) else 1.0
    return 1.0
