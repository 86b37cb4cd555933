"""How a figure is shown."""

from __future__ import annotations

from typing import NamedTuple

from service.engine.figures.description import Reading


class View(NamedTuple):
    """`position` is the still's; `reading` None is "gather"."""

    animate: bool = True
    position: int | None = None
    reading: Reading | None = None
