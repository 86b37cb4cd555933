"""What a worker receives and what it returns; both are picklable."""

from __future__ import annotations

from typing import Literal, NamedTuple

from service.engine.figures.view import View
from service.engine.jobs.timings import Timing
from service.engine.machine.limits import Limits

Buffer = bytes | bytearray | memoryview
ANIMATED = View()
Answer = Literal["png", "jpeg", "webp", "avif", "tiff", "npy", "json"]


class Job(NamedTuple):
    """The part of a request that needs work: only its kind has been read yet.

    `body` is the only large field: the image ("image"), or a JSON document ("document"): `{"image": base64, "spec": …}`
    for a filter, `{"spec": …, "image": {…}}` for a plan and for a figure, which is shown as `view` says. `spec` is JSON
    text that came beside an image, or with `preset` that of the requested preset. `received` is the
    `time.perf_counter()` at which the request had been read; waiting is counted from there.
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
    """The answer's bytes and the values of its headers; sizes are (width, height)."""

    body: Buffer
    media_type: str
    timings: tuple[Timing, ...] = ()
    origin: tuple[int, int] | None = None
    size: tuple[int, int] | None = None
