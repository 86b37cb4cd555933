"""Deconvolution."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil, log2, prod
from typing import ClassVar, Literal

import numpy as np

from service.engine.steps.centres import Centres
from service.engine.steps.geometry import PaddingMode, Pair, Shape
from service.engine.steps.reach import Reach
from service.engine.steps.weights import Weights, cancels, last_two_sides


@dataclass(frozen=True, eq=False)
class Restore:
    """Undo a convolution with `psf`, (kH, kW) with odd sides, centred; ground/restoration.py has the methods."""

    channels: int
    psf: Weights
    method: Literal["wiener", "richardson_lucy", "inverse"]
    noise_to_signal: float = 0.01
    iterations: int = 20
    padding_mode: PaddingMode = "reflect"

    bias: ClassVar[None] = None
    bias_parameters: ClassVar[int] = 0

    @property
    def in_channels(self) -> int:
        return self.channels

    @property
    def out_channels(self) -> int:
        return self.channels

    @property
    def parameters(self) -> int:
        return prod(self.psf.shape)

    @property
    def sums_to_zero(self) -> bool:
        return cancels(self.psf)

    @property
    def field_of_view(self) -> Pair:
        return last_two_sides(self.psf)

    @property
    def reach(self) -> Reach:
        """A restoration amplifies without a useful bound; a large gain makes the whole chain compute in float64."""
        return Reach(1e9, prod(self.psf.shape), integral=False)

    def output(self, shape: Shape) -> Shape:
        return Shape(shape.height, shape.width, self.channels)

    def macs(self, shape: Shape) -> int:
        """Count 2.5 n log2 n multiplications for each of the Fourier transforms of the padded planes."""
        padded: int = (shape.height + 2 * self.psf.shape[0]) * (shape.width + 2 * self.psf.shape[1])
        transforms = 4 * self.iterations + 1 if self.method == "richardson_lucy" else 3
        return ceil(2.5 * transforms * self.channels * padded * log2(padded + 1))

    def centres(self, shape: Shape) -> Centres:
        return np.arange(shape.height), np.arange(shape.width)

    def scaled(self, unit: float) -> Restore:  # noqa: ARG002 -- one interface: a restoration has no constants
        return self

    def on_alpha(self, opaque: float) -> Restore:  # noqa: ARG002 -- one interface
        """Return the step that restores alpha if colour is weighted by it, normalised to gain 1.

        A psf `gain` times as large makes results `gain` times as small, if the noise scales alike.
        """
        total = float(self.psf.sum())
        if self.method == "richardson_lucy" or self.sums_to_zero:
            return replace(self, channels=1)
        if self.method == "inverse":
            return replace(self, channels=1, psf=self.psf / total)
        gain = total / (total * total + self.noise_to_signal)
        return replace(self, channels=1, psf=self.psf * gain, noise_to_signal=self.noise_to_signal * gain * gain)
