"""From the numbers of the last step to the samples that are sent."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.engine import light
from service.engine.arrays import stored
from service.engine.errors import InvalidSpec
from service.engine.montage import montage
from service.engine.plan import Plan
from service.engine.transparency import Planes

Image = NDArray[Any]


def raw(planes: Planes, plan: Plan) -> Image:
    """Give the unclipped result as float32 (H, W, C), in units of 0..255."""
    colour = _coded(planes.colour, plan) / plan.unit
    if plan.alpha:
        alpha = np.full((*colour.shape[:2], 1), 255.0) if planes.alpha is None else planes.alpha / plan.unit
        colour = np.concatenate([np.where(alpha == 0, 0, colour), alpha], axis=2)
    result: Image = np.ascontiguousarray(colour, dtype=np.float32)
    if not np.isfinite(result).all():
        raise InvalidSpec("the result has numbers beyond the range of float32, 3.4e38")
    return result


def picture(planes: Planes, plan: Plan) -> Image:
    """Give the samples of the PNG: ranged, rounded half to even, clipped and cast, once."""
    colour = planes.colour
    if colour.dtype != plan.dtype or plan.settings.range != "clip":
        colour = stored(_ranged(_coded(colour, plan), plan), plan.dtype)
    if plan.alpha:
        if planes.alpha is None:
            alpha = np.full((*colour.shape[:2], 1), np.iinfo(plan.dtype).max, plan.dtype)
        else:
            alpha = stored(_scaled(planes.alpha, plan), plan.dtype)
            colour = np.where(alpha == 0, colour.dtype.type(0), colour)
        colour = np.concatenate([colour, alpha], axis=2)
    return montage(colour) if plan.settings.layout == "montage" else colour


def _coded(colour: Image, plan: Plan) -> Image:
    if plan.spec.color_space != "linear":
        return colour
    return light.encode(colour, 255.0 * plan.unit, plan.info.gamma)


def _scaled(image: Image, plan: Plan) -> Image:
    """Bring samples from the unit of the input to that of the output; in float64, one rounding, where these differ."""
    full, white = int(np.iinfo(plan.dtype).max), 255 * plan.unit
    return image if full == white else image.astype(np.float64) * full / white


def _ranged(colour: Image, plan: Plan) -> Image:
    """Bring colour into 0..full of the output's type as `output.range` says."""
    match plan.settings.range:
        case "clip":
            return _scaled(colour, plan)
        case "abs":
            return _scaled(np.abs(colour), plan)
        case "center":
            return _scaled(colour + 128 * plan.unit, plan)
        case "minmax":
            least, most = float(colour.min()), float(colour.max())
            if most == least:
                return np.zeros_like(colour)
            return (colour.astype(np.float64) - least) * (int(np.iinfo(plan.dtype).max) / (most - least))
