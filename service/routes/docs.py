"""GET /docs and /openapi.json: the API description for people and programs; it needs no other network."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response

from service.routes.errors import NotFound
from service.routes.names import unknown

_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",  # icons, and results shown on the page
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
_OWN = Path(str(files("service"))) / "static"
_VENDORED = Path(str(files("fastapi_offline"))) / "static"
_ASSETS = {
    "swagger-ui-bundle.js": (_VENDORED, "text/javascript"),
    "swagger-ui.css": (_VENDORED, "text/css"),
    "favicon.png": (_VENDORED, "image/png"),
    "docs.css": (_OWN, "text/css"),
    "start.js": (_OWN, "text/javascript"),
}
_EXAMPLES = {path.name: path for path in sorted((_OWN / "examples").glob("*.jpg"))}
_KEPT = {"Cache-Control": "public, max-age=3600"}

router = APIRouter(tags=["documentation"])


@router.get("/docs", include_in_schema=False)
async def docs() -> Response:
    """Show the API in Swagger UI; its links are relative, so that a proxy's prefix does not matter."""
    headers = {"Content-Security-Policy": _POLICY}
    return FileResponse(_OWN / "docs.html", media_type="text/html", headers=headers)


@router.get("/docs/{asset}", include_in_schema=False)
async def asset(asset: str) -> Response:
    if asset not in _ASSETS:
        raise NotFound(unknown("file", asset, _ASSETS))
    folder, media_type = _ASSETS[asset]
    return FileResponse(folder / asset, media_type=media_type, headers=_KEPT)


@router.get("/docs/examples/{picture}", include_in_schema=False)
async def example(picture: str) -> Response:
    """Show what an example of an operation makes of a photograph."""
    if picture not in _EXAMPLES:
        raise NotFound(unknown("picture", picture, _EXAMPLES))
    return FileResponse(_EXAMPLES[picture], media_type="image/jpeg", headers=_KEPT)


@router.get("/openapi.json", include_in_schema=False)
async def openapi(request: Request) -> Response:
    root = str(request.scope.get("root_path", "")).rstrip("/")
    document: dict[str, Any] = request.app.openapi_schema
    return JSONResponse(document | ({"servers": [{"url": root}]} if root else {}))
