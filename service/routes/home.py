"""GET /: where everything is."""

from __future__ import annotations

from importlib.metadata import version

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from service.routes.errors import NotAcceptable
from service.routes.negotiation import choose
from service.routes.pages import link, page, text

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


@router.get("/", summary="Start page")
async def home(request: Request) -> Response:
    """Give the version and links: as JSON, or as a page to those that prefer text/html."""
    root = str(request.scope.get("root_path", "")).rstrip("/")
    links = {name: root + target for name, target in _LINKS.items()}
    if _wants_page(request.headers.get("accept")):
        response: Response = page("convserve", _body(links))
    else:
        response = JSONResponse({"name": "convserve", "version": version("convserve"), "links": links})
    response.headers["Vary"] = "Accept"
    return response


def _wants_page(accept: str | None) -> bool:
    try:
        return choose(accept, {"application/json": False, "text/html": True})
    except NotAcceptable:
        return False


def _body(links: dict[str, str]) -> str:
    items = "\n".join(f"<li>{link(target, name)}</li>" for name, target in links.items())
    sentence = text(f"Convolution as a service, version {version('convserve')}: `POST /v1/filter` an image and a spec.")
    return f"<p>{sentence}</p>\n<ul>\n{items}\n</ul>"
