"""GET /: links to everything."""

from __future__ import annotations

from importlib.metadata import version

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from service.routes import playground
from service.routes.negotiation import VARY, accept_of, prefers

_LINKS = {
    "documentation": "/docs",
    "openapi": "/openapi.json",
    "operations": "/v1/operations",
    "kernels": "/v1/kernels",
    "presets": "/v1/presets",
    "limits": "/v1/limits",
    "problems": "/problems",
    "version": "/version",
}

router = APIRouter(tags=["documentation"])


@router.get("/", operation_id="getHome", summary="Start page")
async def home(request: Request) -> Response:
    """Return the version and links as JSON, or the playground if the client prefers text/html."""
    if prefers(accept_of(request.headers), "text/html", "application/json"):
        response = playground.answer(request, "index.html")
    else:
        root = str(request.scope.get("root_path", "")).rstrip("/")
        links = {name: root + target for name, target in _LINKS.items()}
        response = JSONResponse({"name": "convserve", "version": version("convserve"), "links": links})
    response.headers.update(VARY)
    return response


router.include_router(playground.router)
