"""POST /v1/plan: what a spec would do and cost, without an image."""

from __future__ import annotations

from time import perf_counter

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from service.engine.errors import MalformedJson
from service.engine.jobs import Job
from service.routes.dependencies import Needed
from service.routes.negotiation import VARY, accept_of, choose
from service.routes.responses import BufferResponse, raw
from service.routes.submit import submit
from service.routes.uploads import announced_bytes, read_document

router = APIRouter(tags=["plan"])


@router.post("/v1/plan", operation_id="planSpec", summary="Plan a spec without an image")
async def plan(request: Request, services: Needed) -> Response:
    """Resolve a spec for an image of a given shape: output shape, parameters, cost and algorithms of each step.

    Instead of the numbers of a kernel or weight, you may give `{"shape": [...]}`.
    """
    choose(accept_of(request.headers), {"application/json": None, "application/problem+json": None})
    settings = services.settings
    with services.room.upload(announced_bytes(request)) as held:
        body = await read_document(request, held, settings.max_body_bytes)
        if not body:
            raise MalformedJson("the body is empty")
        job = Job(kind="plan", body=body, limits=services.limits, received=perf_counter(), answer="json")
        result = await submit(services.dispatcher, job, request)
    return BufferResponse(result.body, result.media_type, raw(VARY), services.room)
