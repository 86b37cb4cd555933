"""POST /v1/figure: the arithmetic of a convolution as a drawing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from time import perf_counter
from typing import TypeVar

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from service.engine.errors import Fault, MalformedJson
from service.engine.figures.description import Reading
from service.engine.figures.view import View
from service.engine.jobs import Job
from service.engine.spec.wording import listed, nearest
from service.routes.dependencies import Needed
from service.routes.errors import InvalidParameter
from service.routes.negotiation import VARY, accept_of, choose
from service.routes.query import query_of
from service.routes.responses import BufferResponse, raw
from service.routes.submit import submit
from service.routes.uploads import announced_bytes, read_document

SECURITY = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"}
"""A drawing contains its own style sheet and loads nothing else."""
LONGEST_QUERY = 1000
ANIMATE: Mapping[str, bool] = {"true": True, "false": False}
READINGS: Mapping[str, Reading] = {"gather": "gather", "scatter": "scatter"}
_POSITION = re.compile(r"0|[1-9][0-9]{0,5}", re.ASCII)

router = APIRouter(tags=["figure"])
Value = TypeVar("Value")


@router.post("/v1/figure", operation_id="drawFigure", summary="Draw the arithmetic of a convolution")
async def figure(request: Request, services: Needed) -> Response:
    """Draw one conv, separable, depthwise or transposed operation on a small image as an animated SVG.

    `animate=false` gives a still drawing of the requested `position` (0 is the first). A transposed convolution is
    drawn as a window that gathers from the stretched input, or with `reading=scatter` as samples that spread the
    kernel. Instead of the numbers of a kernel or weight, you may give `{"shape": [...]}`.
    """
    choose(accept_of(request.headers), {"image/svg+xml": None, "application/problem+json": None})
    if len(query_of(request.scope)) > LONGEST_QUERY:
        raise InvalidParameter(f"the query has more than {LONGEST_QUERY:,} bytes")
    view = view_of(request.query_params.multi_items())
    settings = services.settings
    with services.room.upload(announced_bytes(request)) as held:
        body = await read_document(request, held, settings.max_body_bytes)
        if not body:
            raise MalformedJson("the body is empty")
        job = Job(kind="figure", body=body, limits=services.limits, received=perf_counter(), view=view)
        result = await submit(services.dispatcher, job, request)
    return BufferResponse(result.body, result.media_type, raw(SECURITY | VARY), services.room)


def view_of(parameters: list[tuple[str, str]]) -> View:
    """Read the query; raises InvalidParameter."""
    query = dict(parameters)
    if len(query) < len(parameters):
        raise InvalidParameter("a query parameter is given twice")
    for name in query:
        if name not in View._fields:
            near = nearest(name, View._fields)
            hint = f"did you mean '{near}'?" if near else f"there are {listed(View._fields, 'and')}"
            raise InvalidParameter(f"the query has an unknown parameter; {hint}")
    position = query.get("position")
    if position is not None and not _POSITION.fullmatch(position):
        raise _fault("position", "an integer from 0")
    return View(
        animate=_one_of("animate", query, ANIMATE, default=True),
        position=None if position is None else int(position),
        reading=_one_of("reading", query, READINGS, default=None),
    )


def _one_of(name: str, query: Mapping[str, str], values: Mapping[str, Value], default: Value) -> Value:
    word = query.get(name)
    if word is None:
        return default
    if word not in values:
        raise _fault(name, listed(values))
    return values[word]


def _fault(name: str, what: str) -> InvalidParameter:
    detail = f"{name} must be {what}"
    return InvalidParameter(detail, faults=(Fault(f"/query/{name}", detail),))
