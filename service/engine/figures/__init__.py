"""Drawings of the arithmetic of convolution, after the figures of V. Dumoulin and F. Visin, arXiv:1603.07285."""

from __future__ import annotations

from service.engine.errors import InvalidSpec
from service.engine.figures import convolution, transposition
from service.engine.figures.description import Figure, Reading
from service.engine.figures.drawing import write
from service.engine.steps import Conv2d, ConvTranspose2d, Weights
from service.engine.steps.geometry import Shape


def draw(
    step: Conv2d | ConvTranspose2d,
    shape: Shape,
    values: Weights | None = None,
    *,
    animate: bool = True,
    position: int | None = None,
    reading: Reading | None = None,
    rotated: bool = False,
) -> str:
    """Draw as SVG what `step` does to one plane of an image of `shape`.

    Sums are shown if `values` (H, W) and the kernel's numbers are known. `position` counts the outputs, or the inputs
    of a transposed convolution read as "scatter", from the top left; without `animate` only that position is shown.
    `rotated` says that the step's kernel was turned by 180 degrees before. Raises InvalidSpec; pointers lead into the
    document of POST /v1/figure, and faults of its query have none.
    """
    figure = describe(step, shape, values, reading=reading, rotated=rotated)
    last = len(figure.windows) - 1
    if position is not None and not 0 <= position <= last:
        raise InvalidSpec(f"position must be an integer from 0 to {last}, was {position}")
    return write(figure, position or 0, animate=animate)


def describe(
    step: Conv2d | ConvTranspose2d,
    shape: Shape,
    values: Weights | None = None,
    *,
    reading: Reading | None = None,
    rotated: bool = False,
) -> Figure:
    """Describe the figure of a step; a transposed convolution is gathered unless `reading` is "scatter"."""
    if isinstance(step, Conv2d):
        if reading == "scatter":
            raise InvalidSpec('reading "scatter" belongs to transposed; a convolution is gathered')
        return convolution.describe(step, shape, values, rotated=rotated)
    return transposition.describe(step, shape, values, reading=reading or "gather", rotated=rotated)
