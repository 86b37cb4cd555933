"""GET /livez, /readyz, /version: whether the service is alive, whether it accepts work, and its version."""

from __future__ import annotations

import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from service.dispatch import Status
from service.routes.dependencies import Needed
from service.routes.errors import NotReady

_PACKAGES = ("numpy", "scipy", "numba", "pillow", "fastapi", "uvicorn")

router = APIRouter(tags=["service"])


@router.get("/livez", operation_id="checkLiveness", summary="Liveness")
async def livez() -> Response:
    """Answer as long as the event loop runs."""
    return JSONResponse({"status": "alive"})


@router.get("/readyz", operation_id="checkReadiness", summary="Readiness")
async def readyz(services: Needed) -> Response:
    """Answer 200 while every server takes work: workers warm, not draining, and room in the queue."""
    status = services.whole.status()
    if not status.ready:
        raise NotReady(f"the service takes no work: {status.reason}", {"Retry-After": "1"})
    return JSONResponse({"status": "ready", "workers": status.workers, "engine": _engine(status)})


@router.get("/version", operation_id="getVersion", summary="Versions")
async def versions(services: Needed) -> Response:
    """Return the versions of the service and of everything that affects its results and speed."""
    return JSONResponse({**_versions(), "engine": _engine(services.whole.status())})


def _engine(status: Status) -> dict[str, Any] | None:
    """Name the processor level of the loops and the share of them in use; null with a cluster."""
    return status.engine._asdict() if status.engine else None


@cache
def _versions() -> dict[str, Any]:
    packages = {name: _version(name) for name in _PACKAGES}
    python = platform.python_version()
    return {"name": "convserve", "version": version("convserve"), "python": python, "packages": packages}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:  # numba is optional
        return None
