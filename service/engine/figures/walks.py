"""What figures of both kinds have in common: kernel, window, results, and the words about them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from service.engine.figures.description import MOST_TERMS, Area, Cell, Plane, Role
from service.engine.figures.numerals import LONGEST_LINE, numeral, sum_lines
from service.engine.geometry import Padding, Pair
from service.engine.numbers import is_unknown
from service.engine.steps import Weights


def grid(height: int, width: int) -> Iterable[Pair]:
    """Walk over a grid as one reads."""
    return ((row, column) for row in range(height) for column in range(width))


def known(numbers: Weights) -> Weights | None:
    """Give the numbers of a kernel, or None where only its shape is known."""
    return None if is_unknown(numbers) else numbers


def written(numbers: Weights | None, row: int, column: int) -> str:
    return "" if numbers is None else numeral(float(numbers[row, column]))


def kernel_plane(
    size: Pair, numbers: Weights | None, factors: tuple[Weights, Weights] | None, *, rotated: bool
) -> Plane:
    """Draw the kernel, and to its left and top the column and the row whose product it is."""
    height, width = size
    cells = [Cell("kernel", row, column, written(numbers, row, column)) for row, column in grid(height, width)]
    area = Area(0, 0, height, width)
    if factors is not None:
        column, row = factors
        known_factors = not (is_unknown(column) or is_unknown(row))
        texts = [[numeral(float(number)) if known_factors else "" for number in taps] for taps in factors]
        cells += [Cell("factor", index, -1, text) for index, text in enumerate(texts[0])]
        cells += [Cell("factor", -1, index, text) for index, text in enumerate(texts[1])]
        area = Area(-1, -1, height + 1, width + 1)
    return Plane("kernel, rotated" if rotated else "kernel", area, tuple(cells))


def window_cells(size: Pair, dilation: Pair, view: Pair, numbers: Weights | None) -> tuple[Cell, ...]:
    """List what a window of `view` covers: taps where the kernel has numbers, gaps between them."""

    def cell(row: int, column: int) -> Cell:
        (tap_row, off_row), (tap_column, off_column) = divmod(row, dilation[0]), divmod(column, dilation[1])
        if off_row or off_column:
            return Cell("gap", row, column)
        return Cell("tap", row, column, written(numbers, tap_row, tap_column))

    assert ((size[0] - 1) * dilation[0] + 1, (size[1] - 1) * dilation[1] + 1) == view  # noqa: S101
    return tuple(cell(row, column) for row, column in grid(*view))


class Sums:
    """The numbers of a figure whose window gathers: what each position adds up."""

    def __init__(
        self, plane: Weights, windows: tuple[Pair, ...], kernel: Weights, dilation: Pair, divisor: float, bias: float
    ) -> None:
        self._plane, self._kernel, self._dilation = plane, kernel, dilation
        self._divisor, self._bias = divisor, bias
        self._windows = windows

    def _covered(self, window: Pair) -> Weights:
        (top, left), (height, width) = window, self._kernel.shape
        rows = top + self._dilation[0] * np.arange(height)
        columns = left + self._dilation[1] * np.arange(width)
        covered: Weights = self._plane[np.ix_(rows, columns)]
        return covered

    def results(self) -> list[float]:
        return [
            float((self._covered(window) * self._kernel).sum()) / self._divisor + self._bias
            for window in self._windows
        ]

    def lines(self) -> tuple[tuple[str, ...], ...]:
        detailed = len(self._windows) * self._kernel.size <= MOST_TERMS
        kernel = self._kernel.tolist()
        return tuple(
            sum_lines(
                [list(zip(*pair, strict=True)) for pair in zip(self._covered(window).tolist(), kernel, strict=True)],
                self._divisor,
                self._bias,
                detailed=detailed,
            )
            for window in self._windows
        )
