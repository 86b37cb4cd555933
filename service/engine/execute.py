"""The work itself, as planned: decode, compute step by step, encode."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import NamedTuple

from service.engine import codecs, finish, light, transparency
from service.engine.codecs import Buffer
from service.engine.plan import Plan
from service.engine.timings import Timing
from service.engine.transparency import Planes


class Encoded(NamedTuple):
    """The answer's image: bytes of a PNG or an NPY, (H, W, C), and the type of its samples."""

    data: bytes
    shape: tuple[int, int, int]
    dtype: str


class Clock:
    """Collects how long the parts take."""

    def __init__(self) -> None:
        self.timings: list[Timing] = []

    @contextmanager
    def part(self, name: str, description: str = "") -> Iterator[None]:
        start = perf_counter()
        yield
        self.timings.append(Timing(name, description, perf_counter() - start))


def execute(plan: Plan, data: Buffer, threads: int, clock: Clock) -> Encoded:
    """Carry out `plan` on the bytes that it was made for; raises InvalidImage where their pixels are damaged."""
    opaque = 255 * plan.unit
    with clock.part("decode"):
        planes, icc = _decoded(plan, data, opaque, threads)
    for index, operation in enumerate(plan.operations):
        with clock.part(f"step-{index}", f"{operation.operation.op}: {operation.algorithm}"):
            for choice in operation.choices:
                planes = transparency.apply(choice, planes, plan.spec.alpha, opaque, threads)
    with clock.part("encode"):
        if plan.answer == "npy":
            image = finish.raw(planes, plan)
            return Encoded(codecs.encode_npy(image), image.shape, image.dtype.name)
        image = finish.picture(planes, plan)
        same_model = planes.colour.shape[2] == plan.info.channels - plan.alpha and plan.settings.layout == "auto"
        png = codecs.encode_png(
            image, compression=plan.settings.compression, icc=icc if same_model else None, threads=threads
        )
        return Encoded(png, image.shape, image.dtype.name)


def _decoded(plan: Plan, data: Buffer, opaque: int, threads: int) -> tuple[Planes, bytes | None]:
    """Give the planes to compute on, and the colour profile; the pixels as read go out of scope here."""
    image, icc = codecs.decode(data, plan.info, threads)
    planes = transparency.separate(image, opaque) if plan.alpha else Planes(image)
    if plan.spec.color_space == "linear":
        planes = Planes(light.decode(planes.colour, opaque, plan.arithmetic), planes.alpha)
    return planes, icc
