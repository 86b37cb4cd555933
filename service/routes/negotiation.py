"""Which form of an answer `Accept` asks for (RFC 9110, section 12.5.1)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple, TypeVar

from service.routes.errors import NotAcceptable

_QUALITY = re.compile(r"(0(\.\d{0,3})?|1(\.0{0,3})?)")
_RANGE = re.compile(r"(\*|[^\s/;,*]+)/(\*|[^\s/;,*]+)")

Form = TypeVar("Form")


class _Range(NamedTuple):
    """A media range with its weight; the parameters of a range are not looked at."""

    type: str
    subtype: str
    quality: float

    def precision(self, media_type: str) -> int:
        """Tell how exactly the range names a media type: 0 is not at all."""
        main, _, sub = media_type.partition("/")
        if (self.type, self.subtype) == (main, sub):
            return 3
        if self.subtype == "*":
            return 2 if self.type == main else int(self.type == "*")
        return 0


def choose(accept: str | None, offers: Mapping[str, Form]) -> Form:
    """Choose among the offered media types, the server's preference first.

    The highest weight wins; of equal weights the type that is named more exactly, so that `application/json, */*`
    means JSON; then the order of the offers. Nothing means anything.
    """
    if accept is None or not accept.strip():
        return next(iter(offers.values()))
    ranges = _ranges(accept)
    weights = [_weight(media_type, ranges) for media_type in offers]
    best = max(weights)
    if not best[0]:
        raise NotAcceptable(f"this address answers with {' or '.join(offers)}; Accept names none of them")
    return list(offers.values())[weights.index(best)]


def _weight(media_type: str, ranges: list[_Range]) -> tuple[float, int]:
    """Give the weight that the range which names the type most exactly has for it, and how exactly that is."""
    precision, quality = max(((range_.precision(media_type), range_.quality) for range_ in ranges), default=(0, 0.0))
    return (quality, precision) if precision else (0.0, 0)


def _ranges(accept: str) -> list[_Range]:
    """Read the ranges; one that is malformed counts as not written."""
    found = []
    for item in accept.lower().split(","):
        name, *parameters = (part.strip() for part in item.split(";"))
        match = _RANGE.fullmatch(name)
        quality = _quality(parameters)
        if match and quality is not None and not (match[1] == "*" and match[2] != "*"):
            found.append(_Range(match[1], match[2], quality))
    return found


def _quality(parameters: list[str]) -> float | None:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            return float(value.strip()) if _QUALITY.fullmatch(value.strip()) else None
    return 1.0
