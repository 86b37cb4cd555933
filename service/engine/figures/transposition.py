"""The figures of a transposed convolution, which has two readings with the same numbers.

Scattered: each sample times the kernel is added into the output, `stride` apart, and the rim is cropped. Gathered: a
window with the rotated kernel walks, one sample at a time, over the input stretched by zeros and padded by its field of
view - 1, less the cropping. After V. Dumoulin and F. Visin, arXiv:1603.07285, section 4.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from service.engine.figures.description import (
    MOST_CELLS,
    MOST_TERMS,
    Area,
    Cell,
    Figure,
    Growth,
    Plane,
    Reading,
    bounded,
)
from service.engine.figures.numerals import numeral
from service.engine.figures.parts import (
    both,
    channels,
    check_numbers,
    check_sides,
    first_kernel,
    gathered,
    grid,
    kernel_plane,
    key,
    output_plane,
    rows_of,
    sides,
    text_at,
    window_cells,
)
from service.engine.steps import ConvTranspose2d, Weights
from service.engine.steps.geometry import Pair, Shape


def describe(step: ConvTranspose2d, shape: Shape, values: Weights | None, *, reading: Reading, rotated: bool) -> Figure:
    """Describe what `step` does to one plane of `shape`, whose samples are `values` (H, W) if they are known."""
    output = step.output(shape)
    check_sides(shape, step.kernel_size, output)
    mixed = 1 if step.shared else step.in_channels // step.groups
    if reading == "gather":
        bounded("the stretched input", *_stretched(step, shape), MOST_CELLS)
        area = _gathering_area(step, shape, output)
        bounded("the stretched input with its padding", area.height, area.width, MOST_CELLS)
        check_numbers(values, shape, mixed)
        return _gather(step, shape, output, area, values, rotated=not rotated)
    area = _full_area(step, output)
    bounded("the output before cropping", area.height, area.width, MOST_CELLS)
    check_numbers(values, shape, mixed)
    return _scatter(step, shape, output, area, values, rotated=rotated)


def _gather(
    step: ConvTranspose2d, shape: Shape, output: Shape, area: Area, values: Weights | None, *, rotated: bool
) -> Figure:
    upright = first_kernel(step.weight)
    kernel = None if upright is None else upright[::-1, ::-1]
    top, left = _lead(step)
    windows = tuple((row - top, column - left) for row, column in grid(output.height, output.width))
    gaps = step.stride != (1, 1)
    source = Plane("stretched input" if gaps else "input", area, _stretched_cells(step, shape, area, values))
    results: list[float] | None = None
    lines: tuple[tuple[str, ...], ...] = ()
    if values is not None and kernel is not None:
        samples = np.zeros((area.height, area.width))
        first = samples[-area.top :, -area.left :]
        first[:: step.stride[0], :: step.stride[1]][: shape.height, : shape.width] = values
        corners = [(row - area.top, column - area.left) for row, column in windows]
        results, lines = gathered(samples, corners, kernel, step.dilation, 1.0, _bias(step))
    window = window_cells(step.field_of_view, step.dilation, kernel)
    stretched = _stretched(step, shape)
    view = step.field_of_view
    return Figure(
        heading="Transposed convolution, gathered",
        caption=_caption(step, shape, output, (f"stretched to {stretched[1]}×{stretched[0]}",) if gaps else ()),
        summary=(
            f"An input of {shape.height} rows and {shape.width} columns is stretched to {stretched[0]} rows and "
            f"{stretched[1]} columns by zeros between its samples. A window of {view[0]} rows and {view[1]} columns "
            f"with the rotated kernel of {step.kernel_size[0]} rows and {step.kernel_size[1]} columns walks over it "
            f"and its padding of zeros, one sample at a time. Each position, {output.pixels} in all, gives one sample "
            f"of the output of {output.height} rows and {output.width} columns.{rows_of(results, output)}"
        ),
        reading="gather",
        source=source,
        kernel=kernel_plane(step.kernel_size, kernel, rotated=rotated),
        result=output_plane(output, results),
        legend=(
            *key("padding", "padding: zeros", source.cells),
            *key("gap", f"gap: zero between samples, stride {both(step.stride)}", source.cells),
            *key("gap", f"gap: skipped by dilation {both(step.dilation)}", window),
        ),
        copies=False,
        window_size=view,
        window=window,
        windows=windows,
        marks=tuple(grid(output.height, output.width)),
        lines=lines,
    )


def _scatter(
    step: ConvTranspose2d, shape: Shape, output: Shape, area: Area, values: Weights | None, *, rotated: bool
) -> Figure:
    kernel = first_kernel(step.weight)
    marks = tuple(grid(shape.height, shape.width))
    windows = tuple((area.top + row * step.stride[0], area.left + column * step.stride[1]) for row, column in marks)
    window = window_cells(step.field_of_view, step.dilation, kernel)
    sums = None if values is None or kernel is None else _sums(step, area, windows, values, kernel)
    results = (
        None if sums is None else sums[-area.top :, -area.left :][: output.height, : output.width].ravel().tolist()
    )

    def cell(row: int, column: int) -> Cell:
        kept = 0 <= row < output.height and 0 <= column < output.width
        return Cell("output" if kept else "cropped", row, column, text_at(sums, (row - area.top, column - area.left)))

    source = [Cell("input", *place, text_at(values, place)) for place in marks]
    result = tuple(cell(area.top + row, area.left + column) for row, column in grid(area.height, area.width))
    lines = () if values is None else tuple((f"{numeral(float(values[mark]))} × kernel is added",) for mark in marks)
    return Figure(
        heading="Transposed convolution, scattered",
        caption=_caption(step, shape, output, ()),
        summary=(
            f"Each sample of an input of {shape.height} rows and {shape.width} columns is "
            f"multiplied by the kernel of {step.kernel_size[0]} rows and {step.kernel_size[1]} columns and added into "
            f"the output, {step.stride[0]} down and {step.stride[1]} to the right for the next. Of {area.height} rows "
            f"and {area.width} columns, {output.height} rows and {output.width} columns are left after cropping."
            f"{rows_of(results, output)}"
        ),
        reading="scatter",
        source=Plane("input", Area(0, 0, shape.height, shape.width), tuple(source)),
        kernel=kernel_plane(step.kernel_size, kernel, rotated=rotated),
        result=Plane("output", area, result),
        legend=(
            *key("cropped", f"cropped by padding {sides(step.padding)}", result),
            *key("gap", f"gap: skipped by dilation {both(step.dilation)}", window),
        ),
        copies=False,
        window_size=step.field_of_view,
        window=window,
        windows=windows,
        marks=marks,
        lines=lines,
        growth=_growth(step, windows, window, values, kernel),
    )


def _stretched(step: ConvTranspose2d, shape: Shape) -> Pair:
    return (shape.height - 1) * step.stride[0] + 1, (shape.width - 1) * step.stride[1] + 1


def _lead(step: ConvTranspose2d) -> Pair:
    """Count the rows and columns from the start of the first window to the first sample; they may be negative."""
    view = step.field_of_view
    return view[0] - 1 - step.padding.top, view[1] - 1 - step.padding.left


def _gathering_area(step: ConvTranspose2d, shape: Shape, output: Shape) -> Area:
    """Enclose the stretched input and all samples that the windows reach."""
    top, left = (max(0, lead) for lead in _lead(step))
    ends = [
        max(stretched, outputs - 1 - lead + view)
        for stretched, outputs, lead, view in zip(
            _stretched(step, shape), output[:2], _lead(step), step.field_of_view, strict=True
        )
    ]
    return Area(-top, -left, top + ends[0], left + ends[1])


def _full_area(step: ConvTranspose2d, output: Shape) -> Area:
    padding = step.padding
    return Area(
        -padding.top, -padding.left, output.height + sum(padding.vertical), output.width + sum(padding.horizontal)
    )


def _stretched_cells(step: ConvTranspose2d, shape: Shape, area: Area, values: Weights | None) -> tuple[Cell, ...]:
    height, width = _stretched(step, shape)

    def cell(row: int, column: int) -> Cell:
        if not (0 <= row < height and 0 <= column < width):
            return Cell("padding", row, column, "" if values is None else "0")
        if row % step.stride[0] or column % step.stride[1]:
            return Cell("gap", row, column)
        sample = (row // step.stride[0], column // step.stride[1])
        return Cell("input", row, column, text_at(values, sample), sample)

    return tuple(cell(area.top + row, area.left + column) for row, column in grid(area.height, area.width))


def _sums(step: ConvTranspose2d, area: Area, windows: tuple[Pair, ...], values: Weights, kernel: Weights) -> Weights:
    sums = np.full((area.height, area.width), _bias(step))
    height, width = step.field_of_view
    for (row, column), value in zip(windows, values.ravel(), strict=True):
        top, left = row - area.top, column - area.left
        sums[top : top + height : step.dilation[0], left : left + width : step.dilation[1]] += value * kernel
    return sums


def _growth(
    step: ConvTranspose2d,
    windows: tuple[Pair, ...],
    window: tuple[Cell, ...],
    values: Weights | None,
    kernel: Weights | None,
) -> tuple[Growth, ...]:
    """List when taps reach each cell, and what it holds from then on."""
    taps = [cell for cell in window if cell.role == "tap"]
    reached: dict[Pair, list[tuple[int, Pair]]] = defaultdict(list)
    for position, (row, column) in enumerate(windows):
        for tap in taps:
            reached[row + tap.row, column + tap.column].append((position, (tap.row, tap.column)))
    numbers = values is not None and kernel is not None
    stepwise = numbers and len(windows) * len(taps) <= MOST_TERMS
    growth = []
    for place, contributions in reached.items():
        if not stepwise:
            whole = contributions[-1 if numbers else 0][0]
            growth.append(Growth(*place, whole, None, ""))
            continue
        assert values is not None  # noqa: S101 -- as `numbers` says
        assert kernel is not None  # noqa: S101 -- as `numbers` says
        total = _bias(step)
        ends = [position for position, _ in contributions[1:]]
        for (position, (row, column)), end in zip(contributions, [*ends, None], strict=True):
            total += float(values.ravel()[position] * kernel[row // step.dilation[0], column // step.dilation[1]])
            growth.append(Growth(*place, position, end, numeral(total)))
    return tuple(growth)


def _caption(step: ConvTranspose2d, shape: Shape, output: Shape, more: tuple[str, ...]) -> tuple[str, ...]:
    return (
        f"input {shape.width}×{shape.height}",
        *more,
        f"kernel {step.kernel_size[1]}×{step.kernel_size[0]}",
        f"stride {both(step.stride)}",
        f"padding {sides(step.padding)}",
        f"dilation {both(step.dilation)}",
        *((f"output_padding {both(step.output_padding)}",) if any(step.output_padding) else ()),
        f"→ output {output.width}×{output.height}",
        *channels(step.in_channels, step.out_channels),
    )


def _bias(step: ConvTranspose2d) -> float:
    return 0.0 if step.bias is None else float(step.bias[0])
