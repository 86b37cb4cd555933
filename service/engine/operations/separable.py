"""Convolution with a kernel of rank one, in two passes."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from service.engine.errors import InvalidSpec
from service.engine.machine.limits import Limits
from service.engine.operations.base import Windowed
from service.engine.operations.illustration import Illustration
from service.engine.spec.numbers import KernelField, Taps, is_unknown, read_only, unknown_numbers
from service.engine.steps import Conv2d, Weights
from service.engine.steps.geometry import Shape
from service.engine.steps.taps import factors


class Separable(Windowed):
    summary: ClassVar = "Convolution with the outer product of a column and a row, computed in two passes."
    examples: ClassVar = (
        {
            "op": "separable",
            "column": [1, 2, 1],
            "row": [-1, 0, 1],
            "padding": 1,
            "padding_mode": "reflect",
            "bias": 128,
        },
        {"op": "separable", "kernel": {"name": "gaussian", "sigma": 2}, "padding": "same", "padding_mode": "replicate"},
        {
            "op": "separable",
            "column": [1, 4, 6, 4, 1],
            "row": [1, 4, 6, 4, 1],
            "divisor": "sum",
            "stride": 2,
            "padding": 2,
        },
    )
    notes: ClassVar = (
        "A kernel that is the product of a column and a row can be applied in two passes: first along the rows, then "
        "along the columns. A 3x3 kernel then costs 6 multiplications instead of 9, and a 31x31 kernel 62 instead of "
        "961. The result is the same."
    )
    illustration: ClassVar = Illustration({"op": "separable", "column": [1, 2, 1], "row": [-1, 0, 1], "padding": 1})
    also_called: ClassVar = ("sepfilter2d", "convsep")
    alternatives: ClassVar = (("column", "row"), ("kernel",))

    op: Literal["separable"]
    column: Taps | None = Field(None, description="The numbers from top to bottom, (kH,); needs row as well.")
    row: Taps | None = Field(None, description="The numbers from left to right, (kW,); needs column as well.")
    kernel: KernelField | None = Field(
        None,
        description="Instead of column and row: a named kernel that is such a product, like gaussian or sobel_x.",
    )

    def check(self, limits: Limits) -> None:  # noqa: ARG002 -- the same for all operations
        if self.kernel is None:
            for name, taps in (("column", self.column), ("row", self.row)):
                if taps is None:
                    raise InvalidSpec(f"{name} is missing: give both column and row, or a named kernel").at(f"/{name}")
        elif self.column is not None or self.row is not None:
            raise InvalidSpec("give either column and row, or kernel, and not both")
        elif not is_unknown(self.kernel.numbers) and factors(self.kernel.numbers) is None:
            raise InvalidSpec("kernel is not the outer product of a column and a row; conv takes any kernel").at(
                "/kernel"
            )

    def taps(self) -> tuple[Weights, Weights, float]:
        """Return column, row, and the divisor of their product."""
        if self.kernel is None:
            assert self.column is not None  # noqa: S101 -- check() has seen to it
            assert self.row is not None  # noqa: S101 -- check() has seen to it
            return self.column, self.row, 1.0
        height, width = self.kernel.numbers.shape
        split = factors(self.kernel.numbers) or (unknown_numbers(height), unknown_numbers(width))
        return read_only(split[0]), read_only(split[1]), self.kernel.divisor

    def compose(self, shape: Shape) -> tuple[Conv2d]:
        column, row, over = self.taps()
        unknown = is_unknown(column) or is_unknown(row)
        whole = unknown_numbers(len(column), len(row)) if unknown else read_only(np.multiply.outer(column, row))
        weight, divisor = self.divided(whole.reshape(1, 1, *whole.shape), over)
        bias = self.biases(shape.channels)
        return (self.conv2d(shape, weight, shape.channels, divisor=divisor, bias=bias, factors=(column, row)),)

    def resolution(self, shape: Shape) -> dict[str, object]:
        (step,) = self.compose(shape)
        column, row, over = self.taps()
        column = column if over == 1 else column / over
        return self.window_resolution(shape, step, over) | {"column": column, "row": row, "kernel": None}
