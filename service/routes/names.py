"""Say that a name in the path is unknown."""

from __future__ import annotations

import re
from collections.abc import Collection

from service.engine.spec.wording import listed, nearest

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_SHOWN = 20


def unknown(what: str, name: str, known: Collection[str]) -> str:
    """Write "there is no preset 'edgs'; did you mean 'edges'?"; a name of invalid form is not repeated."""
    shown = f" '{name}'" if _NAME.fullmatch(name) else " of that name"
    near = nearest(name, known)
    hint = f"did you mean '{near}'?" if near else f"there are {listed(list(known)[:_SHOWN], 'and')}"
    return f"there is no {what}{shown}; {hint}"
