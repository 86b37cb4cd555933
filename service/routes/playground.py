"""GET /playground/…: the files of the page that browsers get at /."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from service.routes.errors import NotFound
from service.routes.names import unknown

_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",  # results and figures are shown from memory
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
_TYPES = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "svg": "image/svg+xml",
    "jpg": "image/jpeg",
}

router = APIRouter(tags=["documentation"])


class _File(NamedTuple):
    content: bytes
    media_type: str
    tag: str


@router.get("/playground/{file}", include_in_schema=False)
async def playground_file(file: str, request: Request) -> Response:
    if file not in _files():
        raise NotFound(unknown("file", file, _files()))
    return answer(request, file)


def answer(request: Request, file: str) -> Response:
    """Give a file of the playground, or 304 to a browser that has it.

    A browser asks each time, so it never mixes modules of two versions after an upgrade.
    """
    content, media_type, tag = _files()[file]
    headers = {"ETag": tag, "Cache-Control": "no-cache", "Content-Security-Policy": _POLICY}
    if _has(request.headers.get("if-none-match", ""), tag):
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=media_type, headers=headers)


def _has(condition: str, tag: str) -> bool:
    """Compare weakly (RFC 9110, 13.1.2): a proxy that compresses makes a tag weak."""
    tags = [given.strip().removeprefix("W/") for given in condition.split(",")]
    return tag in tags or tags == ["*"]


@cache
def _files() -> dict[str, _File]:
    """Read all files once: nothing else is served, whatever the path."""
    found = {}
    for entry in sorted((files("service") / "playground").iterdir(), key=lambda entry: entry.name):
        suffix = entry.name.rpartition(".")[2]
        if suffix in _TYPES:
            content = entry.read_bytes()
            found[entry.name] = _File(content, _TYPES[suffix], f'"{hashlib.sha256(content).hexdigest()[:32]}"')
    return found
