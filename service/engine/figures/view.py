"""What is shown of a figure, beside what it is a figure of."""

from __future__ import annotations

from typing import NamedTuple

from service.engine.figures.description import Reading


class View(NamedTuple):
    """`position` is that of the still; `reading` None is "gather"."""

    animate: bool = True
    position: int | None = None
    reading: Reading | None = None
