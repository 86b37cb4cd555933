"""What the tests of the operations have in common."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.engine.machine.limits import Limits
from service.engine.spec.spec import parse
from service.engine.steps import Step
from service.engine.steps.geometry import Shape
from tests import oracle

Numbers = NDArray[np.float64]

LIMITS = Limits()
PHOTOGRAPH = Shape(48, 64, 3)


def noise(height: int, width: int, channels: int = 1, seed: int = 1) -> Numbers:
    """Draw whole levels of 0 to 255."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels)).astype(np.float64)


def operation(document: dict[str, Any], *, shapes: bool = False) -> Any:
    """Read a spec of one operation."""
    return parse(document, LIMITS, shapes=shapes).steps[0]


def steps(document: dict[str, Any], shape: Shape = PHOTOGRAPH) -> tuple[Step, ...]:
    found: tuple[Step, ...] = operation(document).steps(shape)
    return found


def size(document: dict[str, Any], height: int, width: int, channels: int = 1) -> tuple[int, int]:
    """Give the output's (height, width)."""
    shape = Shape(height, width, channels)
    for step in steps(document, shape):
        shape = step.output(shape)
    return shape.height, shape.width


def parameters(document: dict[str, Any], channels: int) -> int:
    return sum(step.parameters for step in steps(document, Shape(8, 8, channels)))


def filtered(document: dict[str, Any], image: Numbers) -> Numbers:
    """Compute a spec of one operation by the definition of its steps."""
    for step in steps(document, Shape(*image.shape)):
        image = oracle.apply(step, image)
    return image
