"""The only step with two inputs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import ClassVar

import numpy as np

from service.engine.steps.centres import Centres
from service.engine.steps.geometry import Pair, Shape
from service.engine.steps.reach import Reach
from service.engine.steps.weights import Weights, cancels, is_integral, largest, places_of

INPUT = -1
"""Stands for the input among results of steps, which are counted from 0."""


@dataclass(frozen=True, eq=False)
class Blend:
    """Sum two results: weights[0] x + weights[1] z + bias, where z is the result of operation `other`, or the input."""

    channels: int
    other: int
    weights: Weights
    bias: Weights | None = None

    parameters: ClassVar[int] = 2
    field_of_view: ClassVar[Pair] = (1, 1)

    @property
    def in_channels(self) -> int:
        return self.channels

    @property
    def out_channels(self) -> int:
        return self.channels

    @property
    def bias_parameters(self) -> int:
        return 0 if self.bias is None else prod(self.bias.shape)

    @property
    def sums_to_zero(self) -> bool:
        return cancels(self.weights)

    @property
    def reach(self) -> Reach:
        """Bound the sum as if both results were equally large."""
        gain = float(np.abs(self.weights).sum())
        places = places_of(self.bias)
        return Reach(gain, 2, is_integral(self.weights), offset=largest(self.bias), offset_places=places)

    def output(self, shape: Shape) -> Shape:
        return shape

    def macs(self, shape: Shape) -> int:
        return 2 * shape.samples

    def centres(self, shape: Shape) -> Centres:
        return np.arange(shape.height), np.arange(shape.width)

    def scaled(self, unit: float) -> Blend:
        """Return the same step for samples that are `unit` times as large."""
        return self if self.bias is None else replace(self, bias=self.bias * unit)

    def on_alpha(self, opaque: float) -> Blend:  # noqa: ARG002 -- one interface
        return replace(self, channels=1, bias=None)
