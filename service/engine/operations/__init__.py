"""The operations that a client may ask for: their union, discriminated by `op`."""

from __future__ import annotations

from typing import Annotated, get_args

from pydantic import Field

from service.engine.operations.base import OperationBase
from service.engine.operations.blend import Blend
from service.engine.operations.blur import Blur
from service.engine.operations.conv import Conv
from service.engine.operations.deconvolve import Deconvolve
from service.engine.operations.depthwise import Depthwise
from service.engine.operations.depthwise_separable import DepthwiseSeparable
from service.engine.operations.downscale import Downscale
from service.engine.operations.gradient import Gradient
from service.engine.operations.grayscale import Grayscale
from service.engine.operations.pool import Pool
from service.engine.operations.separable import Separable
from service.engine.operations.sharpen import Sharpen
from service.engine.operations.transposed import Transposed
from service.engine.operations.upscale import Upscale

Operation = Annotated[
    Conv
    | Separable
    | Depthwise
    | DepthwiseSeparable
    | Transposed
    | Upscale
    | Downscale
    | Blur
    | Gradient
    | Sharpen
    | Grayscale
    | Pool
    | Blend
    | Deconvolve,
    Field(discriminator="op"),
]

OPERATIONS: tuple[type[OperationBase], ...] = get_args(get_args(Operation)[0])
