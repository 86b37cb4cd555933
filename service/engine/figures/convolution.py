"""The figure of a convolution: a window walks over the padded input, and each position gives one output."""

from __future__ import annotations

from math import isnan

import numpy as np

from service.engine.figures.description import MOST_CELLS, Area, Cell, Figure, Plane, bounded
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
    labels,
    output_plane,
    rows_of,
    sides,
    window_cells,
)
from service.engine.steps import Conv2d, Weights
from service.engine.steps.borders import OUTSIDE, indices
from service.engine.steps.geometry import Shape


def describe(step: Conv2d, shape: Shape, values: Weights | None, *, rotated: bool) -> Figure:
    """Describe what `step` does to one plane of `shape`, whose samples are `values` (H, W) if they are known."""
    output = step.output(shape)
    padding, view = step.padding, step.field_of_view
    check_sides(shape, step.kernel_size, output)
    area = Area(
        -padding.top, -padding.left, shape.height + sum(padding.vertical), shape.width + sum(padding.horizontal)
    )
    bounded("the input with its padding", area.height, area.width, MOST_CELLS)
    check_numbers(values, shape, step.weight.shape[1])

    source = Plane("input", area, _source(step, shape, area, values))
    windows = tuple(
        (area.top + row * step.stride[0], area.left + column * step.stride[1])
        for row, column in grid(output.height, output.width)
    )
    kernel = first_kernel(step.weight)
    results: list[float] | None = None
    lines: tuple[tuple[str, ...], ...] = ()
    if values is not None and kernel is not None and not isnan(step.divisor):
        corners = [(row - area.top, column - area.left) for row, column in windows]
        bias = 0.0 if step.bias is None else float(step.bias[0])
        samples = _padded(step, shape, values)
        results, lines = gathered(samples, corners, kernel, step.dilation, step.divisor, bias)
    window = window_cells(view, step.dilation, kernel)
    return Figure(
        heading=_heading(step),
        caption=(
            f"input {shape.width}×{shape.height}",
            f"kernel {step.kernel_size[1]}×{step.kernel_size[0]}",
            f"stride {both(step.stride)}",
            f"padding {sides(padding)}",
            f"dilation {both(step.dilation)}",
            f"→ output {output.width}×{output.height}",
            *channels(step.in_channels, step.out_channels),
        ),
        summary=(
            f"A window of {view[0]} rows and {view[1]} columns, in which the kernel of {step.kernel_size[0]} rows and "
            f"{step.kernel_size[1]} columns reads {step.kernel_size[0] * step.kernel_size[1]} samples, walks over an "
            f"input of {shape.height} rows and {shape.width} columns{_padded_by(step)}, {step.stride[0]} down and "
            f"{step.stride[1]} to the right at a time. Each position, {output.pixels} in all, gives one sample of the "
            f"output of {output.height} rows and {output.width} columns.{rows_of(results, output)}"
        ),
        reading="gather",
        source=source,
        kernel=kernel_plane(step.kernel_size, kernel, step.factors, rotated=rotated),
        result=output_plane(output, results),
        legend=(
            *key("padding", f"padding: {_kind(step)}", source.cells),
            *key("gap", f"gap: skipped by dilation {both(step.dilation)}", window),
        ),
        copies=step.padding_mode not in {"zeros", "constant"},
        window_size=view,
        window=window,
        windows=windows,
        marks=tuple(grid(output.height, output.width)),
        lines=lines,
    )


def _source(step: Conv2d, shape: Shape, area: Area, values: Weights | None) -> tuple[Cell, ...]:
    copies = step.padding_mode not in {"zeros", "constant"} and any(step.padding)
    if values is not None:
        texts = {place: numeral(float(values[place])) for place in grid(shape.height, shape.width)}
    else:
        texts = labels(shape) if copies else {}
    outside = numeral(step.padding_value) if values is not None or step.padding_mode == "constant" else ""
    rows = indices(shape.height, step.padding.vertical, step.padding_mode).tolist()
    columns = indices(shape.width, step.padding.horizontal, step.padding_mode).tolist()

    def cell(row: int, column: int) -> Cell:
        sample = (rows[row - area.top], columns[column - area.left])
        if OUTSIDE in sample:
            return Cell("padding", row, column, outside)
        if sample == (row, column):
            return Cell("input", row, column, texts.get(sample, ""))
        return Cell("padding", row, column, texts.get(sample, ""), sample)

    return tuple(cell(area.top + row, area.left + column) for row, column in grid(area.height, area.width))


def _padded(step: Conv2d, shape: Shape, values: Weights) -> Weights:
    rows = indices(shape.height, step.padding.vertical, step.padding_mode)
    columns = indices(shape.width, step.padding.horizontal, step.padding_mode)
    outside = (rows == OUTSIDE)[:, None] | (columns == OUTSIDE)
    return np.where(outside, step.padding_value, values[np.ix_(rows, columns)])


def _heading(step: Conv2d) -> str:
    if step.factors is not None:
        return "Separable convolution"
    if step.groups > 1 and not step.shared and step.weight.shape[1] == 1:
        return "Depthwise convolution"
    return "Convolution"


def _kind(step: Conv2d) -> str:
    match step.padding_mode:
        case "zeros":
            return "zeros"
        case "constant":
            return f"constant {numeral(step.padding_value)}"
        case _:
            return f"{step.padding_mode}, copies of samples"


def _padded_by(step: Conv2d) -> str:
    if not any(step.padding):
        return ""
    top, bottom, left, right = step.padding
    return f", padded ({_kind(step)}) by {top} above, {bottom} below, {left} at the left and {right} at the right"
