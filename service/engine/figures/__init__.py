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
    """Draw what `step` does to one plane of an image of `shape`, as an SVG document.

    With `values` (H, W) and a kernel of known numbers the sums are shown. `position` counts the outputs, or the inputs
    of a transposed convolution that is read as "scatter", from the top left; without `animate` it is the one that is
    shown. `rotated` says that the kernel of the step was turned by 180 degrees before. Raises InvalidSpec; the pointers
    are those of the document of POST /v1/figure, and what its query says has none.
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
    """Describe the figure of a step; a transposed one is gathered unless it is to be scattered."""
    if isinstance(step, Conv2d):
        if reading == "scatter":
            raise InvalidSpec('reading "scatter" belongs to transposed; a convolution is gathered')
        return convolution.describe(step, shape, values, rotated=rotated)
    return transposition.describe(step, shape, values, reading=reading or "gather", rotated=rotated)
