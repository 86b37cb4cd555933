"""Normalized convolution: by an algorithm for plain convolution, then again where the rim cuts the window."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.engine.algorithms.arrays import stored
from service.engine.algorithms.base import Algorithm, CompiledAlgorithm, Task
from service.engine.algorithms.rates import rates
from service.engine.algorithms.ready import ready
from service.engine.machine.compiled import Kit
from service.engine.steps import Conv2d, NormalizedConv2d, Weights
from service.engine.steps.geometry import Padding, Pair, Shape

SLACK = 1 << 14
"""Bytes of small objects, for the whole image and for each strip."""
PASSES = 5
"""Passes over the sums of a strip: divide, round, clip and store."""


@dataclass(frozen=True)
class Normalized:
    """Computes a normalized convolution with `plain`, an algorithm for plain convolution."""

    plain: Algorithm

    @property
    def name(self) -> str:
        return f"{self.plain.name} + rim"

    def accepts(self, task: Task) -> bool:
        return isinstance(task.step, NormalizedConv2d) and self.plain.accepts(_parts(task).whole)

    def seconds(self, task: Task) -> float:
        parts = _parts(task)
        seconds = self.plain.seconds(parts.whole)
        for strip in parts.strips:
            seconds += self.plain.seconds(strip.task) + PASSES * rates().ground_call
            seconds += PASSES * strip.task.output.samples * rates().ground_sample
        return seconds

    def workspace(self, task: Task, threads: int) -> int:
        """Bound the bytes for the whole image, for the largest strip at work, and for the arrays of all strips."""
        parts = _parts(task)
        strip = max((self.plain.workspace(strip.task, threads) for strip in parts.strips), default=0)
        return self.plain.workspace(parts.whole, threads) + strip + sum(each.nbytes for each in parts.strips) + SLACK

    def apply(self, task: Task, image: NDArray[Any], threads: int) -> NDArray[Any]:
        parts = _parts(task)
        result = self.plain.apply(parts.whole, image, threads)
        for strip in parts.strips:
            sums: NDArray[Any] = self.plain.apply(strip.task, np.ascontiguousarray(image[strip.seen]), threads)
            np.divide(sums, strip.divisors, out=sums)
            stored(sums, task.target, result[strip.made])
        return result


@dataclass(frozen=True)
class NormalizedByLoops(Normalized):
    """The same for an algorithm that calls compiled loops; this class has none of its own."""

    plain: CompiledAlgorithm
    kits: tuple[Kit, ...] = ()

    def needs(self, task: Task) -> Iterable[str]:
        parts = _parts(task)
        return {
            need for part in (parts.whole, *(strip.task for strip in parts.strips)) for need in self.plain.needs(part)
        }


class Strip(NamedTuple):
    """Outputs along one side of the image: `made` in the result, from the samples `seen`, by a task without division.

    `divisors` is (H', W', 1).
    """

    task: Task
    seen: tuple[slice, slice]
    made: tuple[slice, slice]
    divisors: NDArray[Any]

    @property
    def nbytes(self) -> int:
        """Count the bytes of the samples, the sums and their divisors."""
        samples, sums = (np.dtype(kind).itemsize for kind in (self.task.source, self.task.target))
        return self.task.shape.samples * samples + self.task.output.samples * sums + self.divisors.nbytes + SLACK


class Parts(NamedTuple):
    """The plain convolution of the whole image, and the strips that still have to be normalized."""

    whole: Task
    strips: tuple[Strip, ...]

    @property
    def nbytes(self) -> int:
        return sum(strip.divisors.nbytes for strip in self.strips)


@ready
def _parts(task: Task) -> Parts:
    step = task.step
    if not isinstance(step, NormalizedConv2d):
        raise TypeError(f"nothing to normalize in a {type(step).__name__}")
    out, divisors = task.output, step.divisors(task.shape)
    everywhere = (range(out.height), range(out.width))
    strips = [
        _strip(task, step.conv, divisors, (rows, everywhere[1]))
        for rows in _cut(step.conv.padding.vertical, step.stride[0], out.height)
    ]
    strips += [
        _strip(task, step.conv, divisors, (everywhere[0], columns))
        for columns in _cut(step.conv.padding.horizontal, step.stride[1], out.width)
    ]
    return Parts(replace(task, step=step.conv), tuple(strips))


def _cut(padding: Pair, stride: int, outputs: int) -> Iterator[range]:
    """Return the outputs of an axis whose window begins before the image, and those whose window ends beyond it."""
    first = min(outputs, -(-padding[0] // stride))
    last = max(first, outputs - -(-padding[1] // stride))
    return (part for part in (range(first), range(last, outputs)) if part)


def _strip(task: Task, conv: Conv2d, divisors: tuple[Weights, Weights], made: tuple[range, range]) -> Strip:
    seen, sides = [], []
    for size, kernel, stride, begin, outputs in zip(
        task.shape[:2], conv.kernel_size, conv.stride, (conv.padding.top, conv.padding.left), made, strict=True
    ):
        start, stop = outputs[0] * stride - begin, outputs[-1] * stride - begin + kernel
        seen.append(slice(max(start, 0), min(stop, size)))
        sides += [max(-start, 0), max(stop - size, 0)]
    rows, columns = seen
    shape = Shape(rows.stop - rows.start, columns.stop - columns.start, task.shape.channels)
    step = replace(conv, padding=Padding(*sides), divisor=1.0)
    down, across = (part[outputs.start : outputs.stop] for part, outputs in zip(divisors, made, strict=True))
    return Strip(
        replace(task, step=step, shape=shape, target=task.arithmetic),
        (rows, columns),
        (slice(made[0].start, made[0].stop), slice(made[1].start, made[1].stop)),
        np.multiply.outer(down, across)[:, :, None].astype(task.arithmetic),
    )
