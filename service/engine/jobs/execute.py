"""Carry out a plan: decode, compute step by step, encode."""

from __future__ import annotations

from time import perf_counter
from typing import NamedTuple

from service.engine import codecs
from service.engine.codecs import Buffer, Coding, Metadata
from service.engine.jobs import blending, finish, srgb, transparency
from service.engine.jobs.plan import Plan
from service.engine.jobs.timings import Timing
from service.engine.jobs.transparency import Planes
from service.engine.steps import INPUT, Blend


class Encoded(NamedTuple):
    """The answer's image: its bytes, and (H, W, C)."""

    data: bytes
    shape: tuple[int, int, int]


class Clock:
    """Times consecutive parts of the work."""

    def __init__(self) -> None:
        self.timings: list[Timing] = []
        self._last = perf_counter()

    def end(self, name: str, description: str = "") -> None:
        """End a part; it began when the previous part ended."""
        now = perf_counter()
        self.timings.append(Timing(name, description, now - self._last))
        self._last = now


def execute(plan: Plan, data: Buffer, threads: int, clock: Clock) -> Encoded:
    """Carry out `plan` on the bytes it was made for; raises InvalidImage if their pixels are damaged."""
    opaque = 255 * plan.unit
    planes, source = _decoded(plan, data, opaque, threads)
    clock.end("decode")
    kept = {INPUT: planes} if INPUT in plan.last_uses else {}
    for index, operation in enumerate(plan.operations):
        for choice in operation.choices:
            step = choice.task.step
            if isinstance(step, Blend):
                planes = blending.blend(choice, planes, kept[step.other], plan.spec.alpha, opaque, threads)
            else:
                planes = transparency.apply(choice, planes, plan.spec.alpha, opaque, threads)
        kept |= {index: planes} if index in plan.last_uses else {}
        kept = {source: result for source, result in kept.items() if plan.last_uses[source] > index}
        clock.end(f"step-{index}", f"{operation.operation.op}: {operation.algorithm}")
    encoded = _encoded(plan, planes, source, threads)
    clock.end("encode")
    return encoded


class _Source(NamedTuple):
    """What is kept of the input besides its pixels."""

    icc: bytes | None
    metadata: Metadata


def _encoded(plan: Plan, planes: Planes, source: _Source, threads: int) -> Encoded:
    if plan.answer == "npy":
        image = finish.raw(planes, plan)
        return Encoded(codecs.encode_npy(image), image.shape)
    image = finish.picture(planes, plan)
    kept = _kept(plan, source)
    how = Coding(plan.settings.compression, plan.settings.quality, kept.icc, kept.metadata, plan.shows_alpha, threads)
    return Encoded(codecs.encode(plan.answer, image, how), image.shape)


def _kept(plan: Plan, source: _Source) -> _Source:
    """Keep what is still true of the result."""
    colour = source.metadata.colour if plan.keeps_model else ()
    density = source.metadata.density if plan.keeps_pixel_size else None
    return _Source(source.icc if plan.keeps_model else None, Metadata(colour, density))


def _decoded(plan: Plan, data: Buffer, opaque: int, threads: int) -> tuple[Planes, _Source]:
    """Return the planes to compute on and their metadata; the decoded pixels go out of scope here."""
    image, icc, metadata = codecs.decode(data, plan.info, threads)
    planes = transparency.separate(image, opaque) if plan.alpha else Planes(image)
    if plan.spec.color_space == "linear":
        planes = Planes(srgb.decode(planes.colour, opaque, plan.arithmetic, plan.info.gamma), planes.alpha)
    return planes, _Source(icc, metadata)
