"""Run a job from its bytes to its result: workers call this."""

from __future__ import annotations

import base64
import json
from time import perf_counter

from service.engine import codecs
from service.engine.codecs import Buffer, ImageInfo
from service.engine.errors import EngineError, InvalidSpec, MemoryLimit, MissingImage, MissingSpec
from service.engine.figures.document import figure_document
from service.engine.jobs.documents import filter_document, plan_document
from service.engine.jobs.execute import Clock, Encoded, execute
from service.engine.jobs.formats import MEDIA_TYPES
from service.engine.jobs.job import Answer, Job, Result
from service.engine.jobs.plan import Plan
from service.engine.jobs.plan_report import describe
from service.engine.jobs.prepare import prepare
from service.engine.jobs.timings import Timing
from service.engine.machine import compiled
from service.engine.machine.limits import Limits
from service.engine.spec.spec import Spec, parse
from service.engine.spec.strict_json import loads

KEPT_SPEC_BYTES = 1 << 16
KEPT_PLANS = 64
KEPT_PLAN_BYTES = 1 << 18
"""A spec of a few names can stand for a hundred megabytes of numbers."""


def perform(job: Job, threads: int) -> Result:
    """Do a whole job in a process of the engine's own; raises EngineError with pointers into the request."""
    started = perf_counter()
    codecs.own_process()
    try:
        match job.kind:
            case "filter":
                return _filter(job, threads, started)
            case "plan":
                return _plan(job)
            case "figure":
                drawing = figure_document(bytes(job.body), job.limits, **job.view._asdict())
                return Result(drawing.encode(), "image/svg+xml")
    except MemoryError:
        raise MemoryLimit(f"the job needs more than {job.limits.max_memory_bytes:,} bytes (max_memory_bytes)") from None


def _filter(job: Job, threads: int, started: float) -> Result:
    clock = Clock()  # reading the request is part of decoding
    image, plan = _read(job)
    encoded = execute(plan, image, threads, clock)
    timings = (Timing("queue", "", max(0.0, started - job.received)), *clock.timings)
    body = _document(plan, encoded, timings, job) if job.answer == "json" else encoded.data
    size = (encoded.shape[1], encoded.shape[0])
    return Result(body, MEDIA_TYPES[job.answer], timings, (plan.info.width, plan.info.height), size)


def _plan(job: Job) -> Result:
    info, document = plan_document(job.body, job.limits)
    plan = _prepare(info, parse_at(document, job.limits, shapes=True), job.limits, None)
    return Result(json.dumps(describe(plan)).encode(), "application/json")


def _read(job: Job) -> tuple[Buffer, Plan]:
    """Read and plan the request; the plan of a spec sent as text is kept for the next image of the same form."""
    image = job.body
    if job.form == "document":
        image, document = filter_document(job.body, preset=job.preset)
        if not job.preset:
            return image, _prepare(_inspect(image, job.limits), parse_at(document, job.limits), job.limits, job.answer)
    if job.spec is None:
        raise MissingSpec("the request has no spec")
    return image, _planned(job.spec, _inspect(image, job.limits), job.limits, job.answer)


def _inspect(image: Buffer, limits: Limits) -> ImageInfo:
    if not len(image):
        raise MissingImage("the image is empty")
    return codecs.inspect(image, limits)


def _planned(spec: bytes, info: ImageInfo, limits: Limits, answer: Answer) -> Plan:
    key = (spec, info, limits, answer, compiled.generation())
    plan = _recent_plans.pop(key, None)
    if plan is None:
        plan = _prepare(info, parse_at(loads(spec), limits), limits, answer)
        if len(spec) > KEPT_SPEC_BYTES or _array_bytes(plan) > KEPT_PLAN_BYTES:
            return plan
    _recent_plans[key] = plan
    if len(_recent_plans) > KEPT_PLANS:
        del _recent_plans[next(iter(_recent_plans))]
    return plan


_recent_plans: dict[tuple[bytes, ImageInfo, Limits, Answer, int], Plan] = {}
"""Plans from the least to the most recently used."""


def _array_bytes(plan: Plan) -> int:
    steps = (step for operation in plan.operations for step in operation.steps)
    return sum(getattr(value, "nbytes", 0) for step in steps for value in vars(step).values())


def parse_at(document: object, limits: Limits, *, shapes: bool = False) -> Spec:
    """Parse a spec that the client sent under the name "spec"; pointers begin with it."""
    try:
        return parse(document, limits, shapes=shapes)
    except EngineError as error:
        raise error.at("/spec") from None


def _prepare(info: ImageInfo, spec: Spec, limits: Limits, answer: Answer | None) -> Plan:
    try:
        return prepare(info, spec, limits, answer)
    except EngineError as error:
        if error.faults or isinstance(error, InvalidSpec):
            error.at("/spec")
        raise


def _document(plan: Plan, encoded: Encoded, timings: tuple[Timing, ...], job: Job) -> bytes:
    """Write the JSON answer: image, timings in milliseconds, plan."""
    height, width, channels = encoded.shape
    milliseconds = {timing.name: round(timing.seconds * 1000, 3) for timing in timings}
    milliseconds["total"] = round((perf_counter() - job.received) * 1000, 3)
    image = {
        "media_type": MEDIA_TYPES[plan.answer],
        "width": width,
        "height": height,
        "channels": channels,
        "dtype": plan.dtype,
        "data": base64.b64encode(encoded.data).decode(),
    }
    return json.dumps({"image": image, "timings": milliseconds, "plan": describe(plan)}).encode()
