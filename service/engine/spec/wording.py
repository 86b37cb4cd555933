"""The wording of refusals: values shown briefly, lists of words, near misses, JSON pointers."""

from __future__ import annotations

import json
from collections.abc import Iterable
from difflib import get_close_matches
from math import isfinite

from service.engine.errors import EngineError, Fault

ROOM = 40
"""Most characters that a client's value takes up in a sentence."""
LONGEST_KEY = 100
"""Longest name of a member that a pointer repeats."""


def shown(value: object) -> str:
    """Shorten a JSON value of any size or depth to fit into a sentence."""
    match value:
        case None | bool():
            return json.dumps(value)
        case int():
            return str(value) if value.bit_length() <= 100 else f"an integer of {value.bit_length()} bits"
        case float():
            return repr(value) if isfinite(value) else "a number beyond the range of 64-bit floats"
        case str():
            brief = value if len(value) <= ROOM else value[: ROOM - 1] + "…"
            return json.dumps(brief, ensure_ascii=False).encode("utf-8", "backslashreplace").decode()
        case list():
            if 0 < len(value) <= 4 and all(isinstance(item, int | float) for item in value):
                return f"[{', '.join(map(shown, value))}]"
            return f"a list of {len(value)}" if value else "an empty list"
        case dict():
            return "an object" if value else "an empty object"
        case _:
            return f"a {type(value).__name__}"


def listed(words: Iterable[str], last: str = "or") -> str:
    """Write "a, b or c"."""
    *front, end = words
    return f"{', '.join(front)} {last} {end}" if front else end


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Find the known word that a mistyped one probably means."""
    return next(iter(get_close_matches(word[:64].lower(), list(known), n=1, cutoff=0.6)), None)


def pointer(path: Iterable[str | int]) -> str:
    """Write a path as a JSON pointer (RFC 6901); the pointer ends before a name too long to repeat."""
    text = ""
    for level in path:
        name = str(level)
        if len(name) > LONGEST_KEY:
            break
        text += "/" + name.replace("~", "~0").replace("/", "~1")
    return text


def about(error: EngineError, subject: str) -> tuple[Fault, ...]:
    """Add the subject, and its place, to the faults of a refusal whose sentences lack it."""
    faults = error.faults or (Fault("", error.detail),)
    return tuple(Fault(place, f"{subject}{place} {detail}") for place, detail in faults)
