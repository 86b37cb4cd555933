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
    """One step on an image of known shape, with the types of its numbers.

    `source` is the type of the incoming samples. Results leave as `target`: a float type takes them as computed, an
    integer type rounds half to even and clips. Sums are made in `arithmetic`. `exact` says that weights are integers,
    and all samples, including the rim's, multiples of 2**-`places`, so the sums before the division must have no error.
    `made` holds what was prepared for the task, by the function that prepares it: see ready.py.
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
    """Algorithms that accept the same task give the same answer to within rounding, so they are interchangeable.

    One that accepts no step of tests/engine/algorithms/grid.py lists steps of its own in an attribute `tried_on`.
    """

    @property
    def name(self) -> str: ...

    def accepts(self, task: Task) -> bool:
        """Tell whether this algorithm can compute the task with the accuracy it asks for."""
        ...

    def seconds(self, task: Task) -> float:
        """Predict the time on one thread from the work and the rates of rates.py."""
        ...

    def workspace(self, task: Task, threads: int) -> int:
        """Bound the bytes that `apply` needs besides its input and output."""
        ...

    def apply(self, task: Task, image: NDArray[np.generic], threads: int) -> NDArray[np.generic]:
        """Compute the task on a C-contiguous `image` (H, W, C) of `source`; returns (H', W', C') of `target`."""
        ...


class CompiledAlgorithm(Algorithm, Protocol):
    """An algorithm that calls compiled loops; it is offered if the loops that a task needs are loaded."""

    @property
    def kits(self) -> tuple[Kit, ...]:
        """The kits of loops compiled for it; another algorithm may need them too."""
        ...

    def needs(self, task: Task) -> Iterable[str]:
        """Name the kits that `apply` calls for a task that it accepts."""
        ...
