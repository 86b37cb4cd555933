"""What will be computed, how, and at what cost: everything decided before a pixel is decoded."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from service.engine.algorithms.base import Sample
from service.engine.codecs import ImageInfo
from service.engine.jobs import keeping, montage
from service.engine.jobs.job import Answer
from service.engine.jobs.planner import Choice
from service.engine.operations import Operation
from service.engine.spec.spec import Output, Spec
from service.engine.steps import ConvTranspose2d, Step
from service.engine.steps.geometry import Shape
from service.engine.steps.precision import Arithmetic

BYTES = {"uint8": 1, "uint16": 2, "float32": 4, "float64": 8}
"""Bytes of one sample, by its type."""


@dataclass(frozen=True, eq=False)
class PlannedOperation:
    """One operation of the spec, its steps, and the algorithm chosen for each."""

    operation: Operation
    steps: tuple[Step, ...]
    choices: tuple[Choice, ...]
    input: Shape
    output: Shape

    @cached_property
    def algorithm(self) -> str:
        return " + ".join(choice.algorithm for choice in self.choices)

    @property
    def macs(self) -> int:
        return sum(choice.task.step.macs(choice.task.shape) for choice in self.choices)

    @property
    def seconds(self) -> float:
        return sum(choice.seconds for choice in self.choices)


@dataclass(frozen=True, eq=False)
class Plan:
    """All that `execute` needs besides the bytes.

    `alpha` tells whether the image has an alpha plane that is treated as such; the operations' shapes are those of the
    colour planes. `unit` is one level of 0..255 in the samples' own numbers: 257 for 16-bit pictures.
    """

    info: ImageInfo
    spec: Spec
    answer: Answer
    operations: tuple[PlannedOperation, ...]
    alpha: bool
    unit: int
    arithmetic: Arithmetic
    dtype: Sample
    peak_bytes: int

    @cached_property
    def result(self) -> Shape:
        """Return the shape of the result, alpha included."""
        height, width, channels = self.operations[-1].output
        return Shape(height, width, channels + self.alpha)

    @cached_property
    def flattened(self) -> bool:
        """Tell whether the result is laid on a background because the answer has no alpha."""
        return self.alpha and self.answer == "jpeg" and self.settings.layout == "auto"

    @cached_property
    def shows_alpha(self) -> bool:
        """Tell whether the last channel written is the picture's alpha."""
        kept = self.info.alpha and self.keeps_model  # as an ordinary plane
        return self.settings.layout == "auto" and not self.flattened and (self.alpha or kept)

    @cached_property
    def background(self) -> tuple[int, ...]:
        """Return the levels of the background of a flattened result: one for gray, three for colour."""
        colour = bytes.fromhex((self.settings.background or "#000000")[1:])
        return tuple(colour[:1] if self.operations[-1].output.channels == 1 and len(set(colour)) == 1 else colour)

    @cached_property
    def output(self) -> Shape:
        """Return the shape that is sent, before a montage; alpha included."""
        return self.result._replace(channels=len(self.background)) if self.flattened else self.result

    @cached_property
    def sheet(self) -> Shape:
        """Return the shape that is written."""
        return montage.sheet(self.output) if self.settings.layout == "montage" else self.output

    @cached_property
    def keeps_model(self) -> bool:
        """Tell whether the result's channels mean the same as the input's, so the input's metadata still applies."""
        return self.operations[-1].output.channels == self.info.channels - self.alpha and self.settings.layout == "auto"

    @cached_property
    def keeps_pixel_size(self) -> bool:
        """Tell whether a pixel of the result covers as much as one of the input, because all strides cancel out."""
        down, across = Fraction(1), Fraction(1)
        for operation in self.operations:
            for step in operation.steps:
                stride = getattr(step, "stride", (1, 1))
                enlarges = isinstance(step, ConvTranspose2d)
                down *= Fraction(1, stride[0]) if enlarges else stride[0]
                across *= Fraction(1, stride[1]) if enlarges else stride[1]
        return down == across == 1 and self.settings.layout == "auto"

    @cached_property
    def last_uses(self) -> dict[int, int]:
        """Map each kept result to the last operation that looks back at it."""
        return keeping.last_uses(operation.steps for operation in self.operations)

    @cached_property
    def settings(self) -> Output:
        return self.spec.output or Output()
