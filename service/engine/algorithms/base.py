"""What an algorithm is: one way to compute a kind of step."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from service.engine.machine.compiled import Kit
from service.engine.steps import Step
from service.engine.steps.geometry import Shape
from service.engine.steps.precision import Arithmetic

Sample = Literal["uint8", "uint16", "float32", "float64"]


@dataclass(frozen=True, eq=False)
class Task:
    """One step on an image of known shape, and in what numbers.

    `source` is the type of the samples that come. Results leave as `target`: a float type takes them as computed, an
    integer type rounds half to even and clips. Sums are made in `arithmetic`. `exact` says that weights are integers,
    and samples, those of the rim too, multiples of 2**-`places`, so that the sums before the division must come out
    without any error. `made` is what was made ready for it, by what makes it: see ready.py.
    """

    step: Step
    shape: Shape
    source: Sample
    target: Sample
    arithmetic: Arithmetic
    exact: bool = False
    places: int = 0
    made: dict[object, Any] = field(default_factory=dict, init=False, repr=False)

    @cached_property
    def output(self) -> Shape:
        return self.step.output(self.shape)


class Algorithm(Protocol):
    """Algorithms that accept one task give the same answer to within rounding, and so may take each other's place.

    One that accepts none of the steps of tests/engine/algorithms/grid.py names some in an attribute `tried_on`.
    """

    @property
    def name(self) -> str: ...

    def accepts(self, task: Task) -> bool:
        """Say whether this way can compute the task, to the accuracy that it asks for."""
        ...

    def seconds(self, task: Task) -> float:
        """Predict the time on one thread from the work and the rates of rates.py."""
        ...

    def workspace(self, task: Task, threads: int) -> int:
        """Bound the bytes that `apply` needs beside its input and its output."""
        ...

    def apply(self, task: Task, image: NDArray[np.generic], threads: int) -> NDArray[np.generic]:
        """Compute the task on a C-contiguous `image` (H, W, C) of `source`; gives (H', W', C') of `target`."""
        ...


class CompiledAlgorithm(Algorithm, Protocol):
    """An algorithm that calls compiled loops; it is offered where those that a task needs are loaded."""

    @property
    def kits(self) -> tuple[Kit, ...]:
        """The parts of the loops that are compiled for it; another algorithm may need them, too."""
        ...

    def needs(self, task: Task) -> Iterable[str]:
        """Name the parts that `apply` calls for a task that it accepts."""
        ...
