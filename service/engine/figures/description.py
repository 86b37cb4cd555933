"""A figure as data, before it is drawn: its cells, and what happens at each position.

Rows and columns count from the first sample of a plane, so they are negative in the padding and the cropped output at
the top and left.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from service.engine.errors import InvalidSpec
from service.engine.steps.geometry import Pair

Role = Literal["input", "padding", "gap", "output", "cropped", "kernel", "factor", "tap"]
Reading = Literal["gather", "scatter"]

MOST_SAMPLES = 24
"""Most samples along a side of input, kernel and output."""
MOST_CELLS = 48
"""Most cells along a side of the padded or stretched input, and of the output before cropping."""
MOST_TERMS = 2500
"""Most products in a whole figure that are written out one by one."""


class Cell(NamedTuple):
    """A square of the grid; `origin` is the input sample that it shows, if that belongs elsewhere."""

    role: Role
    row: int
    column: int
    text: str = ""
    origin: Pair | None = None


class Area(NamedTuple):
    """A rectangle of cells."""

    top: int
    left: int
    height: int
    width: int


class Plane(NamedTuple):
    title: str
    area: Area
    cells: tuple[Cell, ...]


class Growth(NamedTuple):
    """What an output cell holds from position `first` until before `end` (None: to the last)."""

    row: int
    column: int
    first: int
    end: int | None
    text: str


@dataclass(frozen=True)
class Figure:
    """One operation on one plane.

    The window walks over `source` and each position gives the marked cell of `result` ("gather"), or it walks over
    `result` and each marked cell of `source` is added there ("scatter"). `windows` are the window's top left cells,
    `marks` the marked cells; `lines` writes out the sums at each position, if the numbers are known. `growth` is for
    scatter only: how the output's cells fill.
    """

    heading: str
    caption: tuple[str, ...]
    summary: str
    reading: Reading
    source: Plane
    kernel: Plane
    result: Plane
    legend: tuple[tuple[Role, str], ...]
    copies: bool
    window_size: Pair
    window: tuple[Cell, ...]
    windows: tuple[Pair, ...]
    marks: tuple[Pair, ...]
    lines: tuple[tuple[str, ...], ...] = ()
    growth: tuple[Growth, ...] = ()


def bounded(what: str, height: int, width: int, most: int) -> None:
    """Refuse a grid that is too large to draw."""
    if max(height, width) > most:
        raise InvalidSpec(f"{what} would be {width}x{height}; a figure has at most {most}x{most} there").at("/spec")
