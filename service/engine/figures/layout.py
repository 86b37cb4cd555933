"""Place the three planes, with cells as large as the width allows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from service.engine.figures.description import Figure, Plane

WIDTH = 600
MARGIN = 24
LARGEST_CELL = 54
COMFORTABLE_CELL = 26
"""13 pixels if the figure is shown at a width of 300: above this size a flat figure is better than larger cells."""
TITLE = 32
BETWEEN = 30
LETTER = 12.5
"""Width of one letter of a title."""
DEPTH_PENALTY = 0.75

Band = tuple[tuple[Plane, ...], ...]
"""Columns from left to right; each lists its planes from top to bottom."""


class Placed(NamedTuple):
    """A plane, with the start of its title and the top left corner of its area."""

    plane: Plane
    x: int
    y: int


class Layout(NamedTuple):
    cell: int
    height: int
    source: Placed
    kernel: Placed
    result: Placed


def arrange(figure: Figure) -> Layout:
    """Choose between planes side by side, in two bands and in three."""
    source, kernel, result = figure.source, figure.kernel, figure.result
    flat: list[Band] = [((source,), (kernel, result)) if figure.reading == "gather" else ((source, kernel), (result,))]
    deep: list[Band] = [((source,),), ((kernel,), (result,))]
    if figure.reading == "scatter":
        deep = [((source,), (kernel,)), ((result,),)]
    tower: list[Band] = [((source,),), ((kernel,),), ((result,),)]
    choices = [(_largest_cell(bands), bands) for bands in (flat, deep, tower)]
    cell, bands = next(
        (choice for choice in choices if choice[0] >= COMFORTABLE_CELL),
        max(
            ((cell, bands) for cell, bands in choices),
            key=lambda choice: choice[0] * (DEPTH_PENALTY if choice[1] is tower else 1),
        ),
    )
    return _place(bands, cell, figure)


def _place(bands: Sequence[Band], cell: int, figure: Figure) -> Layout:
    placed: list[Placed] = []
    y = 0
    for band in bands:
        widths = [_column_width(column, cell) for column in band]
        heights = [_column_height(column, cell) for column in band]
        x = (WIDTH - round(sum(widths)) - BETWEEN * (len(band) - 1)) // 2
        for column, width in zip(band, widths, strict=True):
            top = y
            for plane in column:
                placed.append(Placed(plane, x, top))
                top += TITLE + plane.area.height * cell + BETWEEN
            x += round(width) + BETWEEN
        y += max(heights) + BETWEEN
    found = {id(item.plane): item for item in placed}
    planes = (figure.source, figure.kernel, figure.result)
    return Layout(cell, y - BETWEEN, *(found[id(plane)] for plane in planes))


def _largest_cell(bands: Sequence[Band]) -> int:
    return next((cell for cell in range(LARGEST_CELL, 1, -1) if all(_fits(band, cell) for band in bands)), 1)


def _fits(band: Band, cell: int) -> bool:
    room = WIDTH - 2 * MARGIN - BETWEEN * (len(band) - 1)
    return sum(_column_width(column, cell) for column in band) <= room


def _column_width(column: Sequence[Plane], cell: int) -> float:
    return max(max(plane.area.width * cell, len(plane.title) * LETTER) for plane in column)


def _column_height(column: Sequence[Plane], cell: int) -> int:
    return sum(TITLE + plane.area.height * cell for plane in column) + BETWEEN * (len(column) - 1)
