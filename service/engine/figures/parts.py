"""Parts of both kinds of figures: kernel, window, output, and their texts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from service.engine.errors import InvalidSpec
from service.engine.figures.description import MOST_SAMPLES, MOST_TERMS, Area, Cell, Plane, Role, bounded
from service.engine.figures.numerals import numeral, sum_lines
from service.engine.spec.numbers import is_unknown
from service.engine.steps import Weights
from service.engine.steps.geometry import Padding, Pair, Shape


def grid(height: int, width: int) -> Iterable[Pair]:
    """Walk over a grid row by row."""
    return ((row, column) for row in range(height) for column in range(width))


def check_sides(shape: Shape, kernel: Pair, output: Shape) -> None:
    """Refuse more samples along a side than a figure can show."""
    bounded("the input", shape.height, shape.width, MOST_SAMPLES)
    bounded("the kernel", *kernel, MOST_SAMPLES)
    bounded("the output", output.height, output.width, MOST_SAMPLES)


def check_numbers(values: Weights | None, shape: Shape, mixed: int) -> None:
    """Refuse values whose size is not the image's, and values of one plane if an output reads several."""
    if values is None:
        return
    if values.shape != shape[:2]:
        height, width = values.shape
        raise InvalidSpec(f"values has {height} rows of {width}, but the image is {shape.width}x{shape.height}").at(
            "/values"
        )
    if mixed > 1:
        raise InvalidSpec(
            f"values are those of one plane, and each output sums over {mixed} channels: leave them out, or give a "
            "kernel or weight that reads one channel"
        ).at("/values")


def first_kernel(weight: Weights) -> Weights | None:
    """Return the numbers of a weight's first kernel; None if only the shape is known."""
    return None if is_unknown(weight) else weight[0, 0]


def kernel_plane(
    size: Pair, numbers: Weights | None, factors: tuple[Weights, Weights] | None = None, *, rotated: bool
) -> Plane:
    """Show the kernel and, at its left and top, the column and row whose product it is."""
    cells = [Cell("kernel", *place, text_at(numbers, place)) for place in grid(*size)]
    area = Area(0, 0, *size)
    if factors is not None:
        column, row = (_texts(taps) for taps in factors)
        cells += [Cell("factor", index, -1, text) for index, text in enumerate(column)]
        cells += [Cell("factor", -1, index, text) for index, text in enumerate(row)]
        area = Area(-1, -1, size[0] + 1, size[1] + 1)
    return Plane("kernel, rotated" if rotated else "kernel", area, tuple(cells))


def output_plane(output: Shape, results: Sequence[float] | None) -> Plane:
    """Show the whole output; `results` are in the order of `grid`."""
    texts = [numeral(result) for result in results] if results else [""] * output.pixels
    cells = [Cell("output", *place, text) for place, text in zip(grid(output.height, output.width), texts, strict=True)]
    return Plane("output", Area(0, 0, output.height, output.width), tuple(cells))


def window_cells(view: Pair, dilation: Pair, numbers: Weights | None) -> tuple[Cell, ...]:
    """List what a window covers: taps where the kernel has numbers, gaps between them."""

    def cell(row: int, column: int) -> Cell:
        if row % dilation[0] or column % dilation[1]:
            return Cell("gap", row, column)
        return Cell("tap", row, column, text_at(numbers, (row // dilation[0], column // dilation[1])))

    return tuple(cell(*place) for place in grid(*view))


def gathered(
    samples: Weights, corners: Sequence[Pair], kernel: Weights, dilation: Pair, divisor: float, bias: float
) -> tuple[list[float], tuple[tuple[str, ...], ...]]:
    """Sum the window at each of its top left `corners` in `samples`; return the results and the written-out sums."""
    detailed = len(corners) * kernel.size <= MOST_TERMS
    results, lines = [], []
    for top, left in corners:
        covered = samples[top :: dilation[0], left :: dilation[1]][: kernel.shape[0], : kernel.shape[1]]
        total = float((covered * kernel).sum())
        results.append(total / divisor + bias)
        pairs = zip(covered.tolist(), kernel.tolist(), strict=True) if detailed else ()
        rows = [list(zip(*pair, strict=True)) for pair in pairs]
        lines.append(sum_lines(rows, kernel.size, total, divisor, bias))
    return results, tuple(lines)


def text_at(numbers: Weights | None, place: Pair) -> str:
    return "" if numbers is None else numeral(float(numbers[place]))


def labels(shape: Shape) -> dict[Pair, str]:
    """Label samples of unknown value: by letters, or by row and column if there are too few letters."""
    if shape.pixels <= len(LETTERS):
        return dict(zip(grid(shape.height, shape.width), LETTERS, strict=False))
    return {(row, column): f"{row},{column}" for row, column in grid(shape.height, shape.width)}


LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def sides(padding: Padding) -> str:
    """Write a padding in its shortest form."""
    if len(set(padding)) == 1:
        return str(padding.top)
    if padding.top == padding.bottom and padding.left == padding.right:
        return f"{padding.top}×{padding.left}"
    return f"top {padding.top}, bottom {padding.bottom}, left {padding.left}, right {padding.right}"


def both(pair: Pair) -> str:
    """Write (vertical, horizontal) as one number if both are equal."""
    return str(pair[0]) if pair[0] == pair[1] else f"{pair[0]}×{pair[1]}"


def channels(inputs: int, outputs: int) -> tuple[str, ...]:
    """Say that one of so many channels is drawn."""
    return () if inputs == outputs == 1 else (f"one plane of {inputs} → {outputs} channels",)


def key(role: Role, text: str, cells: Iterable[Cell]) -> tuple[tuple[Role, str], ...]:
    """Explain a kind of cell in the legend if the figure contains it."""
    return ((role, text),) if any(cell.role == role for cell in cells) else ()


def rows_of(results: Sequence[float] | None, output: Shape) -> str:
    """Write the result as text, for people who cannot see the figure."""
    if not results or output.pixels > MOST_SPOKEN:
        return ""
    rows = [results[start : start + output.width] for start in range(0, output.pixels, output.width)]
    return f" Its rows are {'; '.join(', '.join(map(numeral, row)) for row in rows)}."


MOST_SPOKEN = 100


def _texts(taps: Weights) -> list[str]:
    return [""] * len(taps) if is_unknown(taps) else [numeral(number) for number in taps.tolist()]
