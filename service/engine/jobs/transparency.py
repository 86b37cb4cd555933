"""How a step treats the alpha plane of a picture.

"preserve": colour is filtered unweighted; alpha is copied, or if the size changes taken from the nearest sample.
"premultiply": colour is weighted by alpha, alpha filtered by the mean kernel, colour divided back; both are float64.
A step that is not a sum treats weighted colour and alpha alike: it takes the largest of each, as SVG's feMorphology
does, or restores each. "auto" is "preserve" for kernels that sum to zero and for steps that look at one sample, and
"premultiply" otherwise: there the colour of a transparent sample never shows.

Alpha that is opaque throughout is not filtered at all: its shape follows the colour's.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from service.engine.algorithms.base import Sample, Task
from service.engine.jobs import planner
from service.engine.jobs.planner import Choice
from service.engine.spec.spec import Alpha
from service.engine.steps import Conv2d, ConvTranspose2d, NormalizedConv2d, Pool, Step
from service.engine.steps.geometry import Shape

Image = NDArray[Any]


TRACE = 1e-9
"""Share of opaque: smaller alpha is what a transform leaves of 0."""


class Planes(NamedTuple):
    """Colour (H, W, C), and alpha (H, W, 1) unless there is none or it is opaque throughout.

    `divided` says that colour was divided by alpha, so the plan's assumptions about its numbers no longer hold.
    """

    colour: Image
    alpha: Image | None = None
    divided: bool = False


def separate(image: Image, opaque: int) -> Planes:
    """Split off the last channel of `image` as alpha; drop it if all its samples are `opaque`."""
    colour, alpha = np.ascontiguousarray(image[..., :-1]), np.ascontiguousarray(image[..., -1:])
    return Planes(colour, None if np.all(alpha == opaque) else alpha)


def apply(choice: Choice, planes: Planes, mode: Alpha, opaque: int, threads: int) -> Planes:
    """Compute one step, planned for colour alone, on colour and alpha; `instead` lists the tasks that it may become."""
    if planes.alpha is None:
        return Planes(planner.compute(_arriving(choice, planes.colour), planes.colour, threads))
    step, shape, threads = choice.task.step, choice.task.shape, min(threads, choice.threads)
    exact = choice.task.exact and not planes.divided
    if _preserves(mode, step):
        rows, columns = step.centres(shape)
        task = _in_float64(step, shape, _sample(planes.colour), exact, choice.task.places if exact else 0)
        colour = _compute(task, planes.colour, threads)
        return planes._replace(colour=colour, alpha=planes.alpha[rows[:, None], columns[None, :]])

    bare, divisor = _undivided(step, shape, opaque)
    covering, total = _undivided(step.on_alpha(opaque), shape, 1)
    exact = exact and planes.colour.dtype.kind == planes.alpha.dtype.kind == "u"
    alpha = planes.alpha.astype(np.float64)
    colour = _compute(_in_float64(bare, shape, "float64", exact), planes.colour * alpha, threads)
    alone = Shape(shape.height, shape.width, 1)
    cover = _compute(_in_float64(covering, alone, "float64", exact), alpha, threads)
    alpha = cover / total
    alpha[np.abs(alpha) <= TRACE * opaque] = 0
    if exact:  # products of integers: only the quotient is rounded
        colour, cover = colour * total, cover * divisor
    else:
        colour *= total / divisor
    np.divide(colour, cover, out=colour, where=alpha > 0)
    np.copyto(colour, 0, where=alpha <= 0)
    return Planes(colour if step.bias is None else colour + step.bias, alpha, divided=True)


def instead(task: Task, mode: Alpha, opaque: int) -> list[Task]:
    """List the tasks that one planned for colour alone may become on a picture that is not opaque throughout."""
    kinds = {(task.exact, task.places), (False, 0)}
    if _preserves(mode, task.step):
        sources: set[Sample] = {task.source, "float64"}
        return [_in_float64(task.step, task.shape, source, *kind) for source in sources for kind in kinds]
    bare, _ = _undivided(task.step, task.shape, opaque)
    covering, _ = _undivided(task.step.on_alpha(opaque), task.shape, 1)
    alone = Shape(task.shape.height, task.shape.width, 1)
    steps = ((bare, task.shape), (covering, alone))
    return [_in_float64(step, shape, "float64", exact) for step, shape in steps for exact in {task.exact, False}]


def plane_bytes(task: Task, sample_bytes: int) -> int:
    """Bound the bytes of the planes that `apply` holds at once: inputs, outputs and intermediates."""
    before, after = task.shape, task.output
    arriving = (before.samples + before.pixels) * (sample_bytes + 8)
    return arriving + 8 * (2 * after.samples + 4 * after.pixels)


def _preserves(mode: Alpha, step: Step) -> bool:
    return mode == "preserve" or (mode == "auto" and (step.sums_to_zero or step.field_of_view == (1, 1)))


def _arriving(choice: Choice, colour: Image) -> Choice:
    """Plan again if the samples arrive in another type than foreseen."""
    if colour.dtype == choice.task.source:
        return choice
    return planner.choose(replace(choice.task, source=_sample(colour)))


def _in_float64(step: Step, shape: Shape, source: Sample, exact: bool, places: int = 0) -> Task:  # noqa: FBT001
    return Task(step, shape, source, "float64", "float64", exact, places)


def _compute(task: Task, image: Image, threads: int) -> Image:
    return planner.compute(planner.choose(task), image, threads)


def _undivided(step: Step, shape: Shape, opaque: int) -> tuple[Step, float | Image]:
    """Return the step without bias and division, for colour weighted by 0 to `opaque`, and the divisor.

    The divisor is one number, or (H', W', 1) if it differs along the rim.
    """
    match step:
        case Conv2d():
            rim = step.padding_value * opaque
            return replace(step, bias=None, divisor=1.0, padding_value=rim), step.divisor
        case ConvTranspose2d():
            return replace(step, bias=None, divisor=1.0), step.divisor
        case NormalizedConv2d():
            return replace(step.conv, divisor=1.0), np.multiply.outer(*step.divisors(shape))[:, :, None]
        case Pool(method="average"):
            return step.window(), float(step.size[0] * step.size[1])
        case _:
            return step, 1.0


def _sample(image: Image) -> Sample:
    return cast(Sample, image.dtype.name)
