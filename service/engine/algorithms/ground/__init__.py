"""The ground floor: every step with NumPy and SciPy alone, a strip at a time. No compiled loop is used or imported.

It accepts every task, and states plainly what each step means.
"""

from __future__ import annotations

from service.engine.algorithms.base import Algorithm
from service.engine.algorithms.ground.magnitude import Magnitude
from service.engine.algorithms.ground.overlap_save import Fft
from service.engine.algorithms.ground.pooling import Pooling
from service.engine.algorithms.ground.products import Products
from service.engine.algorithms.ground.restoration import Restoration
from service.engine.algorithms.ground.shifted import Shifted
from service.engine.algorithms.rims import Normalized

GROUND: tuple[Algorithm, ...] = (
    Shifted(),
    Products(),
    Fft(),
    Magnitude(),
    Pooling(),
    Restoration(),
    Normalized(Shifted()),
)
