"""True deconvolution: undoing a blur."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from service.engine.errors import InvalidSpec
from service.engine.machine.limits import Limits
from service.engine.operations.base import OperationBase, only_with
from service.engine.operations.fields import RimMode
from service.engine.operations.illustration import Gains
from service.engine.spec.numbers import KernelField, is_unknown
from service.engine.spec.whole_numbers import Whole
from service.engine.steps import Restore
from service.engine.steps.geometry import Shape

NOISE_TO_SIGNAL = 0.01
ITERATIONS = 20


class Deconvolve(OperationBase):
    summary: ClassVar = "Undo a blur that was a true convolution with a known psf; not the same as transposed."
    examples: ClassVar = (
        {"op": "deconvolve", "psf": {"name": "gaussian", "sigma": 1.5}, "method": "wiener", "noise_to_signal": 0.01},
        {
            "op": "deconvolve",
            "psf": {"name": "motion", "length": 9, "angle": 30},
            "method": "richardson_lucy",
            "iterations": 10,
        },
        {
            "op": "deconvolve",
            "psf": [[0, 0.1, 0], [0.1, 0.6, 0.1], [0, 0.1, 0]],
            "method": "inverse",
            "padding_mode": "circular",
        },
    )
    notes: ClassVar = (
        "The first picture was blurred with the `psf` and stored in 8 bits. The chart shows the gain at each "
        "frequency. `inverse` divides by what the blur has left of a frequency, which is exact if nothing was "
        "rounded, but also amplifies the rounding to 8 bits where little is left. `wiener` holds back where noise "
        "would dominate."
    )
    illustration: ClassVar = Gains(sigma=2.0, noise_to_signal=(0.001, 0.01, 0.1))
    also_called: ClassVar = ("restore", "deblur", "unblur")

    op: Literal["deconvolve"]
    psf: KernelField = Field(
        description=(
            "The point spread function, centred, with odd sides: rows of numbers, or a named kernel. It is not "
            "normalised; numbers that sum to 1 keep the brightness."
        )
    )
    method: Literal["wiener", "richardson_lucy", "inverse"] = Field(
        "wiener",
        description=(
            "wiener: conj(P) Y / (|P|^2 + noise_to_signal); richardson_lucy: iterations that start from the picture; "
            "inverse: Y / P, which amplifies noise without limit."
        ),
    )
    noise_to_signal: float | None = Field(
        None,
        gt=0,
        le=1e6,
        allow_inf_nan=False,
        description="For wiener: noise power divided by signal power, above 0; default 0.01.",
        json_schema_extra=only_with("method", "wiener"),
    )
    iterations: Whole | None = Field(
        None,
        ge=1,
        le=1000,
        description="For richardson_lucy: 1 to 1000; default 20.",
        json_schema_extra=only_with("method", "richardson_lucy"),
    )
    padding_mode: RimMode = Field("reflect", description="Assumed values of the samples beyond the border.")

    @classmethod
    def undoes(cls, example: dict[str, Any]) -> dict[str, Any]:
        """Return the blur."""
        rim = example.get("padding_mode", "reflect")
        return {"op": "conv", "kernel": example["psf"], "mode": "convolution", "padding": "same", "padding_mode": rim}

    def check(self, limits: Limits) -> None:  # noqa: ARG002 -- the same for all operations
        numbers = self.psf.numbers
        height, width = numbers.shape
        if not (height % 2 and width % 2):
            raise InvalidSpec(f"psf must have odd sides, so that it has a centre; was {width}x{height}").at("/psf")
        if is_unknown(numbers):
            return
        if not np.any(numbers):
            raise InvalidSpec("psf is 0 everywhere: nothing can be undone").at("/psf")
        if self.method == "richardson_lucy" and numbers.min() < 0:
            raise InvalidSpec(
                f'psf must not be negative with method "richardson_lucy"; its smallest number is {numbers.min():g}'
            ).at("/psf")

    def compose(self, shape: Shape) -> tuple[Restore]:
        return (
            Restore(
                channels=shape.channels,
                psf=self.psf.values,
                method=self.method,
                noise_to_signal=NOISE_TO_SIGNAL if self.noise_to_signal is None else self.noise_to_signal,
                iterations=ITERATIONS if self.iterations is None else self.iterations,
                padding_mode=self.padding_mode,
            ),
        )

    def resolution(self, shape: Shape) -> dict[str, object]:
        (step,) = self.compose(shape)
        return {
            "noise_to_signal": step.noise_to_signal if self.method == "wiener" else None,
            "iterations": step.iterations if self.method == "richardson_lucy" else None,
        }
