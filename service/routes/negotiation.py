"""Which form of an answer `Accept` asks for (RFC 9110, section 12.5.1), read as leniently as the header is written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple, TypeVar

from starlette.datastructures import Headers

from service.routes.errors import NotAcceptable

_ENTRY = re.compile(r'(?:[^",]|"(?:[^"\\]|\\.)*+(?:"|\Z))++')
"""What stands between two commas; a comma within a quoted string divides nothing."""
_PARAMETER = re.compile(r'(?:[^";]|"(?:[^"\\]|\\.)*+(?:"|\Z))++')
_QUALITY = re.compile(r"0(\.\d*)?|1(\.0*)?", re.ASCII)
"""A weight may have more digits than the RFC allows, but ".2", which old versions of Java send, is none."""
_RANGE = re.compile(r"\*|\*/\*|[^\s/;,*\"]+/(?:\*|[^\s/;,*\"]+)")

VARY = {"Vary": "Accept"}

Form = TypeVar("Form")


class _Range(NamedTuple):
    """A media range with its weight; other parameters of a range are not looked at."""

    name: str
    quality: float

    def precision(self, media_type: str) -> int:
        """Tell how exactly the range names a media type: 0 is not at all."""
        if self.name == media_type:
            return 3
        main, _, sub = self.name.partition("/")
        if sub == "*" and main == media_type.partition("/")[0]:
            return 2
        return int(self.name == "*/*")


def accept_of(headers: Headers) -> str | None:
    """Give the header `Accept`, joined where it was sent in several lines (RFC 9110, section 5.3)."""
    lines = headers.getlist("accept")
    return ", ".join(lines) if lines else None


def choose(accept: str | None, offers: Mapping[str, Form]) -> Form:
    """Choose among the offered media types: the highest weight wins, of equal weights the first of the offers.

    A library's `application/json, text/plain, */*`, sent unasked, therefore means the first. Nothing means anything.
    Raises NotAcceptable where the header excludes or leaves out all of them.
    """
    best = _best(accept, tuple(offers))
    if best is None:
        raise NotAcceptable(f"this address answers with {' or '.join(offers)}; Accept names none of them", VARY)
    return offers[best]


@lru_cache(maxsize=64)  # clients are of a few kinds
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
    """Give the weight that the range which names the type most exactly has for it, and how exactly that is."""
    precision, quality = max(((range_.precision(media_type), range_.quality) for range_ in ranges), default=(0, 0.0))
    return (quality, precision) if precision else (0.0, 0)


def _ranges(accept: str | None) -> list[_Range]:
    """Read the ranges; one that names no type is passed over. A header without any entry means anything."""
    found, empty = [], True
    for item in _ENTRY.findall((accept or "").lower()):
        name, *parameters = (part.strip() for part in _PARAMETER.findall(item) or [""])
        empty = empty and not item.strip()
        if _RANGE.fullmatch(name):
            found.append(_Range("*/*" if name == "*" else name, _quality(parameters)))
    return [_Range("*/*", 1.0)] if empty else found


def _quality(parameters: Iterable[str]) -> float:
    """Read the weight; one that cannot be read counts as 1."""
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            return float(value.strip()) if _QUALITY.fullmatch(value.strip()) else 1.0
    return 1.0
