"""The ways to compute, one file each; the tuple is what the planner chooses from."""

from __future__ import annotations

from service.engine.algorithms.base import Algorithm
from service.engine.algorithms.box import Box
from service.engine.algorithms.direct import Direct
from service.engine.algorithms.gradient import Gradient
from service.engine.algorithms.ground import GROUND
from service.engine.algorithms.mixing import Mixing
from service.engine.algorithms.pointwise import Pointwise
from service.engine.algorithms.polyphase import Polyphase
from service.engine.algorithms.separable import Separable
from service.engine.algorithms.spectra import Spectra
from service.engine.algorithms.winograd import Winograd

ALGORITHMS: tuple[Algorithm, ...] = (
    Direct(),
    Separable(),
    Box(),
    Gradient(),
    Polyphase(),
    Spectra(),
    Mixing(),
    Winograd(),
    Pointwise(),
    *GROUND,
)
