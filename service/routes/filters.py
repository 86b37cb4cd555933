"""POST /v1/filter and /v1/filters/{preset}: take an image and a spec, return the result."""

from __future__ import annotations

from collections.abc import Iterable
from time import perf_counter

from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from service.engine.jobs import Answer, Job
from service.engine.jobs.formats import FORMATS, MEDIA_TYPES
from service.presets import Preset
from service.routes.dependencies import Services, services_of
from service.routes.errors import NotFound
from service.routes.exchange import exchange_of
from service.routes.names import unknown
from service.routes.negotiation import accept_of, choose
from service.routes.responses import filtered
from service.routes.shortcut import Way
from service.routes.submit import submit
from service.routes.uploads import announced_bytes, read_filter

ANSWERS: dict[str, Answer] = {MEDIA_TYPES[answer]: answer for answer in ("png", "npy", *FORMATS, "json")}
"""Answers by media type. The first of equal weight wins: PNG, and JSON only if it is alone."""

router = APIRouter(tags=["filter"])


@router.post("/v1/filter", operation_id="filterImage", summary="Filter an image")
async def filter_image(request: Request) -> Response:
    """Apply a spec to an image. The three forms of the request give identical bytes."""
    return await _filter(request, services_of(request), None)


@router.post("/v1/filters/{preset}", operation_id="filterWithPreset", summary="Filter an image with a preset")
async def filter_with_preset(request: Request, preset: str) -> Response:
    """Apply a named spec to an image; you send only the image."""
    services = services_of(request)
    return await _filter(request, services, preset_named(preset, services))


def ways(presets: Iterable[str]) -> dict[str, Way]:
    """Map each path here to its route; the router handles paths of unknown presets."""
    routes = {route.path: route for route in router.routes if isinstance(route, APIRoute)}
    image, preset = routes["/v1/filter"], routes["/v1/filters/{preset}"]
    named = {preset.path.format(preset=name): Way(preset, {"preset": name}) for name in presets}
    return {image.path: Way(image, {}), **named}


def preset_named(name: str, services: Services) -> Preset:
    """Find a preset; raises NotFound naming the nearest."""
    found = services.presets.get(name)
    if found is None:
        raise NotFound(unknown("preset", name, services.presets))
    return found


async def _filter(request: Request, services: Services, preset: Preset | None) -> Response:
    settings = services.settings
    answer = choose(accept_of(request.headers), ANSWERS)
    with services.room.upload(announced_bytes(request)) as body:
        upload = await read_filter(request, body, settings.max_body_bytes, preset=preset is not None)
        received = perf_counter()
        job = Job(
            kind="filter",
            body=upload.body,
            limits=services.limits,
            received=received,
            form=upload.form,
            spec=preset.text if preset else upload.spec,
            preset=preset is not None,
            answer=answer,
        )
        result = await submit(services.dispatcher, job, request)
    return filtered(result, received, exchange_of(request.scope), services.room)
