"""Which earlier results of a chain are kept for a step that looks back, and how many bytes they take."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from service.engine.steps import INPUT, Blend, Step
from service.engine.steps.geometry import Shape

FLOAT64_BYTES = 8


def last_uses(operations: Iterable[Sequence[Step]]) -> dict[int, int]:
    """Map each result that is looked back at (INPUT or an operation's) to the last operation that does so."""
    return {step.other: index for index, steps in enumerate(operations) for step in steps if isinstance(step, Blend)}


def kept_bytes(
    uses: Mapping[int, int], results: Sequence[Shape], sample_bytes: tuple[int, int], *, alpha: bool
) -> list[int]:
    """Bound the kept bytes during each operation; its own input counts too, if it is kept.

    `results` are the shapes of the input and of each operation's result; `sample_bytes` are the bytes of an input
    sample and of any other. With `alpha`, results have one more plane and may be float64.
    """

    def size(source: int) -> int:
        shape, each = results[source + 1], sample_bytes[source != INPUT]
        if not alpha:
            return shape.samples * each
        return (shape.samples + shape.pixels) * (each if source == INPUT else FLOAT64_BYTES)

    return [
        sum(size(source) for source, last in uses.items() if source < index <= last)
        for index in range(len(results) - 1)
    ]
