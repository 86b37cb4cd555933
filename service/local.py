"""Do the service's work in this process, for the command line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from time import perf_counter
from typing import Any

from service import presets
from service.engine import codecs
from service.engine.jobs import Answer, Buffer, Job
from service.engine.jobs.pipeline import perform
from service.engine.machine import compiled
from service.engine.machine.cores import available_cores
from service.routes.errors import NotFound
from service.routes.names import unknown
from service.settings import Settings


def filter_image(image: bytes, spec: bytes | str, answer: Answer, settings: Settings) -> Buffer:
    """Filter an image by the text of a spec or the name of a preset; returns the bytes of `answer`."""
    _load_loops(settings)
    limits = settings.limits()
    text = text_of(spec, settings)
    job = Job("filter", image, limits, perf_counter(), "image", text, preset=isinstance(spec, str), answer=answer)
    return perform(job, available_cores()).body


def _load_loops(settings: Settings) -> None:
    if settings.compile != "off":
        compiled.load()


def text_of(spec: bytes | str, settings: Settings) -> bytes:
    """Return the text of a spec given as text or as a preset's name; raises NotFound and BadSettings."""
    if isinstance(spec, bytes):
        return spec
    known = presets.load(settings.presets, settings.limits())
    if spec not in known:
        raise NotFound(unknown("preset", spec, known))
    return known[spec].text


def plan_filter(spec: bytes, image: bytes | Mapping[str, Any], settings: Settings) -> Any:
    """Plan a spec, given as text, for an image or for the shape of one."""
    _load_loops(settings)
    limits = settings.limits()
    shape = _shape(codecs.inspect(image, limits)) if isinstance(image, bytes) else image
    document = b'{"spec": %b, "image": %b}' % (spec, json.dumps(shape).encode())
    return json.loads(bytes(perform(Job("plan", document, limits, perf_counter()), 1).body))


def _shape(info: codecs.ImageInfo) -> dict[str, Any]:
    return {"width": info.width, "height": info.height, "channels": info.channels, "dtype": info.dtype}
