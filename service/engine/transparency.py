"""How a step treats the alpha plane of a picture.

"preserve": colour is filtered as it stands, alpha copied, or where the size changes taken from the nearest sample.
"premultiply": colour is weighted by alpha, alpha filtered by the mean kernel, colour divided back; both are float64.
"auto" is the first for kernels that sum to zero and for steps that look at one sample, the second otherwise.

Alpha that is opaque throughout is not filtered at all: its shape follows the colour's.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from service.engine import planner
from service.engine.algorithms.base import Sample, Task
from service.engine.geometry import Shape
from service.engine.planner import Choice
from service.engine.spec import Alpha
from service.engine.steps import Conv2d, ConvTranspose2d, Step

Image = NDArray[Any]


class Planes(NamedTuple):
    """Colour (H, W, C), and alpha (H, W, 1) unless there is none or it is opaque throughout."""

    colour: Image
    alpha: Image | None = None


def separate(image: Image, opaque: int) -> Planes:
    """Take the last channel of `image` as alpha; set it aside where every sample of it is `opaque`."""
    colour, alpha = np.ascontiguousarray(image[..., :-1]), np.ascontiguousarray(image[..., -1:])
    return Planes(colour, None if np.all(alpha == opaque) else alpha)


def apply(choice: Choice, planes: Planes, mode: Alpha, opaque: int, threads: int) -> Planes:
    """Compute one step, planned for colour alone, on colour and alpha."""
    if planes.alpha is None:
        return Planes(planner.compute(_arriving(choice, planes.colour), planes.colour, threads))
    step, shape = choice.task.step, choice.task.shape
    if mode == "preserve" or (mode == "auto" and (step.sums_to_zero or step.field_of_view == (1, 1))):
        rows, columns = step.centres(shape)
        colour = _compute(step, shape, planes.colour, threads)
        return Planes(colour, planes.alpha[rows[:, None], columns[None, :]])

    weighted = planes.colour * (planes.alpha / opaque)
    colour = _compute(_without_bias(step), shape, weighted, threads)
    alpha = _compute(step.on_alpha(opaque), shape, planes.alpha.astype(np.float64), threads)
    visible = alpha > 0
    colour = np.where(visible, colour * opaque / np.where(visible, alpha, 1), 0)
    return Planes(colour if step.bias is None else colour + step.bias, alpha)


def _arriving(choice: Choice, colour: Image) -> Choice:
    """Plan again where the samples come in another type than foreseen."""
    if colour.dtype == choice.task.source:
        return choice
    return planner.choose(replace(choice.task, source=_sample(colour)))


def _compute(step: Step, shape: Shape, image: Image, threads: int) -> Image:
    """Compute a step in float64."""
    own = Shape(shape.height, shape.width, image.shape[2])
    task = Task(step, own, source=_sample(image), target="float64", arithmetic="float64")
    return planner.compute(planner.choose(task), image, threads)


def _without_bias(step: Step) -> Step:
    return replace(step, bias=None) if isinstance(step, Conv2d | ConvTranspose2d) else step


def _sample(image: Image) -> Sample:
    return cast(Sample, image.dtype.name)
