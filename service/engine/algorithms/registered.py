"""The compiled algorithms, one file each. Importing them imports numba."""

from __future__ import annotations

from service.engine.algorithms.base import CompiledAlgorithm
from service.engine.algorithms.box import Box
from service.engine.algorithms.direct import Direct
from service.engine.algorithms.gradient import Gradient
from service.engine.algorithms.mixing import Mixing
from service.engine.algorithms.pointwise import Pointwise
from service.engine.algorithms.polyphase import Polyphase
from service.engine.algorithms.resampling import Resampling
from service.engine.algorithms.rims import NormalizedByLoops
from service.engine.algorithms.separable import Separable
from service.engine.algorithms.spectra import Spectra
from service.engine.algorithms.winograd import Winograd

COMPILED: tuple[CompiledAlgorithm, ...] = (
    Direct(),
    Separable(),
    Resampling(),
    Box(),
    Gradient(),
    Polyphase(),
    Spectra(),
    Mixing(),
    Winograd(),
    Pointwise(),
    NormalizedByLoops(Direct()),
    NormalizedByLoops(Separable()),
    NormalizedByLoops(Resampling()),
)
