"""GET /v1/operations, /v1/kernels, /v1/presets, /v1/limits: the catalogue, for people and programs."""

from __future__ import annotations

from functools import cache
from typing import Any

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from service.engine.spec.named_kernels import KERNELS
from service.routes.dependencies import Needed
from service.routes.errors import NotFound
from service.routes.filters import preset_named
from service.routes.names import unknown
from service.routes.operations import BY_NAME
from service.settings import Settings, variable

_LIMITS = {
    "max_body_bytes": ("bytes", "body_too_large"),
    "max_image_pixels": ("pixels", "image_too_large"),
    "max_output_pixels": ("pixels", "output_too_large"),
    "max_channels": ("channels", "too_many_channels"),
    "max_steps": ("steps", "work_too_large"),
    "max_kernel_side": ("samples", "work_too_large"),
    "max_macs": ("multiplications", "work_too_large"),
    "max_memory_bytes": ("bytes", "memory_limit"),
    "max_bodies_bytes": ("bytes", "queue_full"),
    "deadline": ("seconds", "deadline_exceeded"),
    "queue": ("requests per worker", "queue_full"),
    "max_wait": ("seconds", "queue_full"),
    "workers": ("processes", "queue_full"),
    "grace": ("seconds", "shutting_down"),
}

router = APIRouter(tags=["catalogue"])


@router.get("/v1/operations", operation_id="listOperations", summary="List the operations")
async def operations() -> Response:
    """Return each operation with its summary, its JSON Schema and examples that run as they are."""
    return JSONResponse([_operation(name) for name in BY_NAME])


@router.get("/v1/operations/{op}", operation_id="getOperation", summary="Describe an operation")
async def operation(op: str) -> Response:
    """Return one operation with its summary, its JSON Schema and examples that run as they are."""
    if op not in BY_NAME:
        raise NotFound(unknown("operation", op, BY_NAME))
    return JSONResponse(_operation(op))


@router.get("/v1/kernels", operation_id="listKernels", summary="List the named kernels")
async def kernels() -> Response:
    """Return each named kernel with its parameters and its numbers for the default parameters."""
    return JSONResponse(_kernels())


@router.get("/v1/presets", operation_id="listPresets", summary="List the presets")
async def presets(services: Needed) -> Response:
    """Return each preset with its spec."""
    return JSONResponse([preset.document() for preset in services.presets.values()])


@router.get("/v1/presets/{preset}", operation_id="getPreset", summary="Describe a preset")
async def one_preset(preset: str, services: Needed) -> Response:
    """Return one preset with its spec."""
    return JSONResponse(preset_named(preset, services).document())


@router.get("/v1/limits", operation_id="listLimits", summary="List the limits")
async def limits(services: Needed) -> Response:
    """Return each limit with its unit, the setting that changes it, and the problem code of its refusal."""
    return JSONResponse({name: _limit(name, services.settings) for name in _LIMITS})


@cache
def _operation(name: str) -> dict[str, Any]:
    cls = BY_NAME[name]
    return {"op": name, "summary": cls.summary, "schema": cls.model_json_schema(), "examples": list(cls.examples)}


@cache
def _kernels() -> list[dict[str, Any]]:
    return [kernel.description() for kernel in KERNELS.values()]


def _limit(name: str, settings: Settings) -> dict[str, Any]:
    unit, code = _LIMITS[name]
    return {"value": getattr(settings, name), "unit": unit, "setting": variable(name), "code": code}
