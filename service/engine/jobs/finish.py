"""Turn the numbers of the last step into the samples that are sent."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.engine.algorithms.arrays import stored
from service.engine.errors import InvalidSpec
from service.engine.jobs import srgb
from service.engine.jobs.montage import montage
from service.engine.jobs.plan import Plan
from service.engine.jobs.transparency import Planes

Image = NDArray[Any]

WHITE = 255
"""In the units of floats."""


def raw(planes: Planes, plan: Plan) -> Image:
    """Return the unclipped result as float32 (H, W, C), in units of 0..255."""
    colour = _coded(planes.colour, plan) / plan.unit
    if plan.alpha:
        alpha = np.full((*colour.shape[:2], 1), 255.0) if planes.alpha is None else planes.alpha / plan.unit
        colour = np.concatenate([np.where(alpha == 0, 0, colour), alpha], axis=2)
    return _finite(np.ascontiguousarray(colour, dtype=np.float32))


def picture(planes: Planes, plan: Plan) -> Image:
    """Return the picture's samples: ranged, rounded half to even, clipped and cast, each once; floats only clipped."""
    if plan.flattened:
        return _flattened(planes, plan)
    colour = planes.colour
    if plan.info.dtype in {"float32", "float64"}:  # a plan bounds the results of all others
        _finite(colour)
    if colour.dtype.kind == "f" or colour.dtype != plan.dtype or plan.settings.range != "clip":
        colour = _stored(_ranged(_coded(colour, plan), plan), plan)
    if plan.alpha:
        if planes.alpha is None:
            alpha = np.full((*colour.shape[:2], 1), _full(plan), plan.dtype)
        else:
            alpha = _stored(_scaled(planes.alpha, plan), plan)
            colour = np.where(alpha == 0, colour.dtype.type(0), colour)
        colour = np.concatenate([colour, alpha], axis=2)
    return montage(colour) if plan.settings.layout == "montage" else colour


def _flattened(planes: Planes, plan: Plan) -> Image:
    """Lay colour on the background, both in coded levels, and round once: colour * alpha + background * (1 - alpha)."""
    colour = planes.colour
    if colour.dtype != plan.dtype or plan.settings.range != "clip":
        colour = _ranged(_coded(colour, plan), plan)
    background = np.array(plan.background, np.float64)
    if planes.alpha is not None:
        opaque = _full(plan)
        cover = np.clip(_scaled(planes.alpha, plan), 0, opaque).astype(np.float64) / opaque
        colour = np.clip(colour, 0, opaque) * cover + background * (1 - cover)
    image = stored(colour, plan.dtype)
    return np.ascontiguousarray(np.broadcast_to(image, (*image.shape[:2], len(background))))


def _stored(image: Image, plan: Plan) -> Image:
    """Cast to the output's sample type; floats, which are not rounded, are clipped to their range here."""
    if plan.dtype == "float32":
        return np.clip(image, 0, _full(plan)).astype(np.float32)
    return stored(image, plan.dtype)


def _full(plan: Plan) -> int:
    """Return the largest possible sample of the output."""
    return WHITE if plan.dtype == "float32" else int(np.iinfo(plan.dtype).max)


def _coded(colour: Image, plan: Plan) -> Image:
    if plan.spec.color_space != "linear":
        return colour
    return srgb.encode(colour, 255.0 * plan.unit, plan.info.gamma)


def _scaled(image: Image, plan: Plan) -> Image:
    """Scale samples from the input's unit to the output's; if the units differ, in float64 with a single rounding."""
    full, white = _full(plan), WHITE * plan.unit
    return image if full == white else image.astype(np.float64) * full / white


def _ranged(colour: Image, plan: Plan) -> Image:
    """Map colour to 0..full of the output's type as `output.range` says."""
    match plan.settings.range:
        case "clip":
            return _scaled(colour, plan)
        case "abs":
            return _scaled(np.abs(colour), plan)
        case "center":
            return _scaled(colour + 128 * plan.unit, plan)
        case "minmax":
            return _stretched(colour, _full(plan))


def _stretched(colour: Image, full: int) -> Image:
    """Bring the least sample to 0 and the greatest to `full`."""
    least, most = float(colour.min()), float(colour.max())
    if most == least:
        return np.zeros_like(colour)
    _, exponent = math.frexp(max(-least, most))  # dividing by a power of two is exact
    least, most = math.ldexp(least, -exponent), math.ldexp(most, -exponent)
    image = colour.astype(np.float64)
    np.ldexp(image, -exponent, out=image)
    image -= least
    image *= full / (most - least)
    return image


def _finite(image: Image) -> Image:
    """Give the image back; raises InvalidSpec where a number of it is infinite or none."""
    if not np.isfinite(image).all():
        bound = np.finfo(image.dtype)
        raise InvalidSpec(f"the result has numbers beyond the range of {image.dtype}, {bound.max:.2g}")
    return image
