"""A figure as SVG: every cell one `<use>` with its class, `data-row` and `data-column`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from html import escape
from typing import NamedTuple
from zlib import crc32

from service.engine.figures import motion
from service.engine.figures.description import Cell, Figure, Plane
from service.engine.figures.layout import MARGIN, WIDTH, Layout, Placed, arrange
from service.engine.figures.motion import Clock
from service.engine.figures.style import style_sheet

LINE = 30
LONGEST_CAPTION = 50
DIGIT = 0.58
"""Width of a digit, in ems."""
SMALLEST_CORNER_TEXT = 9.0


_Span = tuple[int, int | None]
"""From one position until before another, or to the last."""


class _Pen(NamedTuple):
    """What all parts of a drawing share; `moves` says whether anything is animated."""

    name: str
    cell: int
    still: int
    moves: bool


def write(figure: Figure, position: int, *, animate: bool) -> str:
    """Draw a figure; the still, which an animated one shows to viewers who want no motion, is at `position`."""
    layout = arrange(figure)
    head = [("heading", figure.heading), *(("caption", line) for line in _wrapped(figure.caption))]
    above = MARGIN + LINE * len(head) + MARGIN // 2
    below = above + layout.height + MARGIN // 2
    name = f"f{crc32(repr((figure, position, animate)).encode()) & 0xFFFFF:05x}"
    pen = _Pen(name, layout.cell, position, animate and len(figure.windows) > 1)
    sums_height = LINE * max(map(len, figure.lines), default=0)
    height = below + sums_height + LINE * len(figure.legend) + MARGIN
    body = "".join(
        [
            f'<rect class="paper" width="{WIDTH}" height="{height}" rx="14"/>',
            *(
                _text(WIDTH // 2, MARGIN + LINE * row + 22, text, kind, "middle")
                for row, (kind, text) in enumerate(head)
            ),
            f'<g class="planes" transform="translate(0 {above})">{_planes(figure, layout, pen)}</g>',
            _sums(figure.lines, below, sums_height, pen),
            _legend(figure, below + sums_height),
        ]
    )
    label = escape(f"{figure.heading}: {_joined(figure.caption)}")
    copies = " copies" if figure.copies else ""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="{name}{copies}" width="{WIDTH}" height="{height}" '
        f'viewBox="0 0 {WIDTH} {height}" role="img" aria-labelledby="{name}-title {name}-desc">'
        f'<title id="{name}-title">{label}</title><desc id="{name}-desc">{escape(figure.summary)}</desc>'
        f"<style>{style_sheet(name, layout.cell)}{_motion(figure, sums_height, pen)}</style>"
        f"{_definitions(pen)}{body}</svg>\n"
    )


def _definitions(pen: _Pen) -> str:
    """Define a cell, a gap cell, and the grid of slots shown where there is no output yet."""
    cell, inset = pen.cell, max(0.5, pen.cell * 0.035)
    side, dot = cell - 2 * inset, max(1.0, cell * 0.14)
    square = f'x="{inset:.3g}" y="{inset:.3g}" width="{side:.4g}" height="{side:.4g}" rx="{cell * 0.12:.3g}"'
    middle = f'x="{(cell - dot) / 2:.4g}" y="{(cell - dot) / 2:.4g}" width="{dot:.3g}" height="{dot:.3g}" rx="1"'
    return (
        f'<defs><rect id="{pen.name}c" {square}/>'
        f'<g id="{pen.name}g"><rect {square}/><rect class="{pen.name}dot" {middle}/></g>'
        f'<pattern id="{pen.name}s" width="{cell}" height="{cell}" patternUnits="userSpaceOnUse">'
        f'<rect class="paper" width="{cell}" height="{cell}"/><rect class="slot" {square}/></pattern></defs>'
    )


def _planes(figure: Figure, layout: Layout, pen: _Pen) -> str:
    gathers = figure.reading == "gather"
    walk, mark = _walk(figure, pen), _mark(figure, pen)
    corner = any(cell.text for cell in figure.window) and _corner_size(figure, pen) > 0
    read = _value_size(figure.source.cells, pen.cell, corner=corner and gathers)
    made = _value_size(figure.result.cells, pen.cell, corner=corner and not gathers)
    source = _cells(figure.source.cells, pen), _texts(figure.source.cells, read, pen, raised=corner and gathers)
    kernel = _cells(figure.kernel.cells, pen) + _texts(
        figure.kernel.cells, _value_size(figure.kernel.cells, pen.cell), pen
    )
    if gathers:
        parts = (
            ("source", layout.source, source[0] + walk + source[1]),
            ("kernel-plane", layout.kernel, kernel),
            ("result", layout.result, _filling(figure.result, made, figure, pen) + mark),
        )
    else:
        cells, texts = _growing(figure, made, pen, raised=corner)
        parts = (
            ("source", layout.source, source[0] + source[1] + mark),
            ("kernel-plane", layout.kernel, kernel),
            ("result", layout.result, cells + walk + texts),
        )
    return "".join(_plane(kind, placed, content, pen) for kind, placed, content in parts)


def _plane(kind: str, placed: Placed, content: str, pen: _Pen) -> str:
    """Put a plane under its title; inside, the first sample is at (0, 0)."""
    area = placed.plane.area
    x, y = placed.x - area.left * pen.cell, placed.y + 32 - area.top * pen.cell
    title = _text(placed.x + 2, placed.y + 22, placed.plane.title, "name")
    return f'{title}<g class="{kind} cells" transform="translate({x} {y})">{content}</g>'


def _cells(cells: Iterable[Cell], pen: _Pen) -> str:
    return "".join(_cell(cell, pen, "g" if cell.role == "gap" else "c") for cell in cells)


def _cell(cell: Cell, pen: _Pen, shape: str) -> str:
    origin = "" if cell.origin is None else f' data-from="{cell.origin[0]} {cell.origin[1]}"'
    return (
        f'<use href="#{pen.name}{shape}" class="{cell.role}" {_place(cell.row, cell.column, pen)} '
        f'data-row="{cell.row}" data-column="{cell.column}"{origin}/>'
    )


def _texts(cells: Iterable[Cell], size: float, pen: _Pen, *, raised: bool = False) -> str:
    texts = "".join(_number(cell.row, cell.column, cell.text, size, pen, raised=raised) for cell in cells if cell.text)
    return f'<g font-size="{size:.3g}">{texts}</g>' if texts else ""


def _number(row: int, column: int, text: str, size: float, pen: _Pen, *, raised: bool = False) -> str:
    x = (column + 0.5) * pen.cell
    y = (row + (0.42 if raised else 0.5)) * pen.cell + 0.35 * size
    return f'<text x="{x:g}" y="{y:.1f}">{escape(text)}</text>'


def _walk(figure: Figure, pen: _Pen) -> str:
    """Draw the window at its place in the still; the animation moves it as a whole."""
    row, column = figure.windows[pen.still]
    height, width = figure.window_size
    size = _corner_size(figure, pen)
    cells = "".join(_cell(cell, pen, "c") for cell in figure.window)
    numbers = "".join(
        f'<text x="{(cell.column + 0.9) * pen.cell:g}" y="{(cell.row + 0.9) * pen.cell:g}">{escape(cell.text)}</text>'
        for cell in figure.window
        if size and cell.text
    )
    return (
        f'<g class="walk" transform="translate({column * pen.cell} {row * pen.cell})">{cells}'
        f'<rect class="window" width="{width * pen.cell}" height="{height * pen.cell}" rx="{pen.cell * 0.14:.3g}" '
        f'data-row="{row}" data-column="{column}"/>'
        f'{f"""<g font-size="{size:.3g}">{numbers}</g>""" if numbers else ""}</g>'
    )


def _mark(figure: Figure, pen: _Pen) -> str:
    row, column = figure.marks[pen.still]
    side = pen.cell
    return (
        f'<g class="follow" transform="translate({column * side} {row * side})"><rect class="mark" width="{side}" '
        f'height="{side}" rx="{side * 0.14:.3g}" data-row="{row}" data-column="{column}"/></g>'
    )


def _filling(plane: Plane, size: float, figure: Figure, pen: _Pen) -> str:
    """Draw the output under a veil of slots, which the mark pulls away row by row."""
    width, height = plane.area.width * pen.cell, plane.area.height * pen.cell
    content = _cells(plane.cells, pen) + _texts(plane.cells, size, pen)
    if not pen.moves:
        return content
    row, column = figure.marks[pen.still]
    return (
        f'<svg width="{width}" height="{height}">{content}'
        f'<g class="veil follow" transform="translate({column * pen.cell} {row * pen.cell})" fill="url(#{pen.name}s)">'
        f'<rect x="{pen.cell}" width="{width}" height="{pen.cell}"/>'
        f'<rect x="{-width}" y="{pen.cell}" width="{2 * width}" height="{height}"/></g></svg>'
    )


def _growing(figure: Figure, size: float, pen: _Pen, *, raised: bool) -> tuple[str, str]:
    """Draw the output of a scattering: cells appear when reached, and their sums grow."""
    plane = figure.result
    if not pen.moves:
        return _cells(plane.cells, pen), _texts(plane.cells, size, pen, raised=raised)
    first: dict[tuple[int, int], int] = {}
    for growth in figure.growth:
        first.setdefault((growth.row, growth.column), growth.first)
    cells: defaultdict[_Span, list[str]] = defaultdict(list)
    texts: defaultdict[_Span, list[str]] = defaultdict(list)
    stepwise = {(growth.row, growth.column) for growth in figure.growth if growth.text}
    for cell in plane.cells:
        place = (cell.row, cell.column)
        cells[first.get(place, 0), None].append(_cell(cell, pen, "c"))
        if cell.text and place not in stepwise:
            texts[first.get(place, 0), None].append(_number(*place, cell.text, size, pen, raised=raised))
    for row, column, begin, end, text in figure.growth:
        if text:
            texts[begin, end].append(_number(row, column, text, size, pen, raised=raised))
    area, side = plane.area, pen.cell
    slots = (
        f'<rect fill="url(#{pen.name}s)" x="{area.left * side}" y="{area.top * side}" '
        f'width="{area.width * side}" height="{area.height * side}"/>'
    )
    numbers = "".join(_appearing(span, parts) for span, parts in texts.items())
    return (
        slots + "".join(_appearing(span, parts) for span, parts in cells.items()),
        f'<g font-size="{size:.3g}">{numbers}</g>' if numbers else "",
    )


def _appearing(span: _Span, parts: Sequence[str]) -> str:
    kind = _span_class(*span) + (" partial" if span[1] is not None else "")
    return f'<g class="{kind}">{"".join(parts)}</g>'


def _span_class(first: int, end: int | None) -> str:
    return f"a{first}" if end is None else f"a{first}-{end}"


def _sums(lines: Sequence[Sequence[str]], y: int, height: int, pen: _Pen) -> str:
    """Stack the sums of all positions like frames of a film, and show one through a window."""
    if not lines:
        return ""
    shown = range(len(lines)) if pen.moves else range(pen.still, pen.still + 1)

    def sum_at(position: int) -> str:
        rows = (
            _text(WIDTH // 2, position * height + row * LINE + 22, line, "line", "middle")
            for row, line in enumerate(lines[position])
        )
        return f'<g class="sum" data-position="{position}">{"".join(rows)}</g>'

    film = f'<g class="film" transform="translate(0 {-pen.still * height})">{"".join(map(sum_at, shown))}</g>'
    return f'<svg y="{y}" width="{WIDTH}" height="{height}">{film}</svg>'


def _legend(figure: Figure, y: int) -> str:
    parts = []
    for row, (role, text) in enumerate(figure.legend):
        x = (WIDTH - 34 - round(len(text) * 10.5)) // 2
        top = y + LINE * row + 5
        parts.append(
            f'<rect class="key-{role}" x="{x}" y="{top}" width="22" height="22" rx="3"/>'
            + _text(x + 34, top + 18, text, "")
        )
    return f'<g class="legend">{"".join(parts)}</g>' if parts else ""


def _motion(figure: Figure, sums_height: int, pen: _Pen) -> str:
    if not pen.moves:
        return ""
    clock = Clock(len(figure.windows))
    name, cell = pen.name, pen.cell
    keyframes = [
        motion.walk(f"{name}w", [(column * cell, row * cell) for row, column in figure.windows], clock),
        motion.walk(f"{name}m", [(column * cell, row * cell) for row, column in figure.marks], clock),
    ]
    animations = [("walk", f"{name}w"), ("follow", f"{name}m")]
    if figure.lines:
        films = [(0, -position * sums_height) for position in range(len(figure.lines))]
        keyframes.append(motion.walk(f"{name}f", films, clock))
        animations.append(("film", f"{name}f"))
    spans = {(growth.first, growth.end) for growth in figure.growth if growth.text}
    spans |= {(growth.first, None) for growth in figure.growth}
    for first, end in sorted(spans, key=lambda span: (span[0], span[1] or 0)):
        kind = _span_class(first, end)
        keyframes.append(motion.appear(name + kind, first, end, clock))
        animations.append((kind, name + kind))
    return motion.moving(name, keyframes, animations, clock)


def _value_size(cells: Iterable[Cell], side: int, *, corner: bool = False) -> float:
    """Find the font size that fits the longest text into a cell, with or without a number in its corner."""
    longest = max((len(cell.text) for cell in cells), default=0)
    return min(side * (0.4 if corner else 0.46), side * 0.84 / (DIGIT * max(1, longest)))


def _corner_size(figure: Figure, pen: _Pen) -> float:
    """Find the font size of the kernel's numbers in the corners of the taps; 0 if they would be too small to read."""
    longest = max((len(cell.text) for cell in figure.window), default=0)
    size = min(pen.cell * 0.29, pen.cell * 0.7 / (DIGIT * max(1, longest)))
    return size if size >= SMALLEST_CORNER_TEXT else 0.0


def _place(row: int, column: int, pen: _Pen) -> str:
    return f'x="{column * pen.cell}" y="{row * pen.cell}"'


def _text(x: int, y: int, text: str, kind: str, anchor: str = "start") -> str:
    anchored = f' text-anchor="{anchor}"' if anchor != "start" else ""
    classed = f' class="{kind}"' if kind else ""
    return f'<text x="{x}" y="{y}"{classed}{anchored}>{escape(text)}</text>'


def _joined(caption: Sequence[str]) -> str:
    return " · ".join(caption).replace(" · →", " →")


def _wrapped(caption: Sequence[str]) -> list[str]:
    """Break a caption between its parts."""
    lines = [caption[0]]
    for part in caption[1:]:
        joined = _joined([lines[-1], part])
        if len(joined) <= LONGEST_CAPTION:
            lines[-1] = joined
        else:
            lines.append(part)
    return lines
