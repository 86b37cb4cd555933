"""What a worker is given and what it gives back; both are picklable."""

from __future__ import annotations

from typing import Literal, NamedTuple

from service.engine.figures.view import View
from service.engine.jobs.timings import Timing
from service.engine.machine.limits import Limits

Buffer = bytes | bytearray | memoryview
ANIMATED = View()
Answer = Literal["png", "jpeg", "webp", "avif", "tiff", "npy", "json"]


class Job(NamedTuple):
    """All of one request that needs work: nothing of it has been read yet but the kind.

    `body` is the only large field: the image ("image"), or a JSON document ("document"): `{"image": base64, "spec": …}`
    for a filter, `{"spec": …, "image": {…}}` for a plan and for a figure, which is shown as `view` says. `spec` is JSON
    text that came beside an image, or the spec of the preset that was asked for (`preset` tells). `received` is the
    `time.perf_counter()` at which the request had been read, from which waiting is counted.
    """

    kind: Literal["filter", "plan", "figure"]
    body: Buffer
    limits: Limits
    received: float
    form: Literal["image", "document"] = "document"
    spec: bytes | None = None
    preset: bool = False
    answer: Answer = "png"
    view: View = ANIMATED


class Result(NamedTuple):
    """The answer's bytes, and what its headers say; sizes are (width, height)."""

    body: Buffer
    media_type: str
    timings: tuple[Timing, ...] = ()
    origin: tuple[int, int] | None = None
    size: tuple[int, int] | None = None
