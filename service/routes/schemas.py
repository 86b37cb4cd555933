"""The JSON Schemas of requests and answers; the spec's schema comes from the engine."""

from __future__ import annotations

from typing import Any

from service.engine.jobs.formats import FORMATS
from service.routes import spec_schema
from service.routes.spec_schema import ref

BINARY: dict[str, Any] = {"type": "string", "format": "binary"}
OF_PATH = {
    "/v1/operations": "Operations",
    "/v1/operations/{op}": "OperationEntry",
    "/v1/kernels": "Kernels",
    "/v1/presets": "Presets",
    "/v1/presets/{preset}": "Preset",
    "/v1/limits": "Limits",
    "/livez": "Alive",
    "/version": "Versions",
}

_COUNT = {"type": "integer", "minimum": 0}
_SIZE = {"type": "integer", "minimum": 1}
_SECONDS = {"type": "number", "minimum": 0}
_TEXT = {"type": "string"}
_ANY: dict[str, Any] = {"type": "object", "additionalProperties": True}
"""Stated explicitly: some compilers take an object without a description for an empty one."""


def components() -> dict[str, Any]:
    """Return all schemas by name."""
    return {
        **spec_schema.components(),
        "Problem": _problem(),
        "Fault": _object(
            {"pointer": _TEXT | {"description": "JSON pointer to the faulty place in the request."}, "detail": _TEXT}
        ),
        "FilterRequest": _object({"image": _image_text(), "spec": ref("Spec")}),
        "PresetRequest": _object({"image": _image_text()}),
        "PlanRequest": _object({"spec": ref("Spec"), "image": ref("ImageShape")}),
        "FigureRequest": _figure_request(),
        "FigureSize": _object({"width": _SIZE, "height": _SIZE}),
        "ImageShape": _image_shape(),
        **_filter_answer(),
        **_plan(),
        "OperationEntry": _named("op", {"summary": _TEXT, "schema": _ANY, "examples": _list(ref("Operation"))}),
        "Operations": _list(ref("OperationEntry")),
        "KernelEntry": _named(
            "name", {"summary": _TEXT, "parameters": _map(_ANY), "kernel": _list(_list({"type": "number"}))}
        ),
        "Kernels": _list(ref("KernelEntry")),
        "Preset": _named("name", {"summary": _TEXT, "spec": ref("Spec")}),
        "Presets": _list(ref("Preset")),
        "Limit": _named("unit", {"value": {"type": "number"}, "setting": _TEXT, "code": _TEXT}),
        "Limits": _map(ref("Limit")),
        "Alive": _named("status", {}),
        "Ready": _named("status", {"workers": _COUNT, "engine": {"anyOf": [ref("Engine"), {"type": "null"}]}}),
        "Engine": _complete(
            {"level": {"anyOf": [_TEXT, {"type": "null"}]}, "compiled": {"type": "number", "minimum": 0, "maximum": 1}}
        ),
        "Versions": _named(
            "name",
            {
                "version": _TEXT,
                "python": _TEXT,
                "packages": _map(_TEXT),
                "engine": {"anyOf": [ref("Engine"), {"type": "null"}]},
            },
        ),
        "Home": _named("name", {"version": _TEXT, "links": _map(_TEXT)}),
    }


def _problem() -> dict[str, Any]:
    return {
        "type": "object",
        "description": "A problem as in RFC 9457.",
        "properties": {
            "type": {
                "type": "string",
                "format": "uri-reference",
                "description": "Address of a page about the problem, on this service.",
            },
            "title": _TEXT,
            "status": {"type": "integer", "minimum": 400, "maximum": 599},
            "detail": _TEXT,
            "instance": {"type": "string", "format": "uri-reference"},
            "code": {"type": "string", "pattern": "^[a-z_]+$"},
            "request_id": _TEXT,
            "errors": _list(ref("Fault")),
        },
        "required": ["type", "title", "status", "detail", "instance", "code", "request_id"],
    }


def _image_text() -> dict[str, Any]:
    return {"type": "string", "description": "The image as base64, or as a data: URI."}


def _image_shape() -> dict[str, Any]:
    dtype = {"type": "string", "enum": ["uint8", "uint16", "float32", "float64"]}
    return _object(
        {
            "width": _SIZE,
            "height": _SIZE,
            "channels": _SIZE | {"description": "Default 3."},
            "dtype": dtype | {"description": "Default uint8."},
        },
        "width",
        "height",
    )


def _figure_request() -> dict[str, Any]:
    values = _list(_list({"type": "number"})) | {"description": "The numbers of the image, row by row."}
    return _object({"spec": ref("Spec"), "image": ref("FigureSize"), "values": values}, "spec", "image")


def _filter_answer() -> dict[str, Any]:
    image = {
        "media_type": {"type": "string", "enum": [form.media_type for form in FORMATS.values()]},
        "width": _SIZE,
        "height": _SIZE,
        "channels": _SIZE,
        "dtype": {"type": "string", "enum": ["uint8", "uint16", "float32"]},
        "data": _TEXT | {"contentEncoding": "base64", "description": "The bytes, of type `media_type`."},
    }
    timings = _map(_SECONDS) | {"description": "Milliseconds of each part."}
    return {
        "FilterAnswer": _complete({"image": ref("ResultImage"), "timings": timings, "plan": ref("Plan")}),
        "ResultImage": _complete(image),
    }


def _plan() -> dict[str, Any]:
    costs = {"parameters": _COUNT, "macs": _COUNT, "seconds": _SECONDS}
    size = {"width": _SIZE, "height": _SIZE, "channels": _SIZE}
    step = {
        "op": _TEXT,
        "resolved": _ANY | {"description": "Every field of the operation with its value."},
        "input": ref("Size"),
        "output": ref("Size"),
        "field_of_view": _list(_SIZE),
        "bias_parameters": _COUNT,
        "algorithm": _TEXT,
        "alternatives": _list(ref("Alternative")),
        **costs,
    }
    plan = {
        "image": ref("PlannedImage"),
        "steps": _list(ref("PlannedStep")),
        "output": ref("PlannedOutput"),
        "peak_bytes": _COUNT,
        **costs,
    }
    return {
        "Plan": _complete(plan),
        "PlannedStep": _complete(step),
        "PlannedImage": _complete(size | {"dtype": _TEXT}),
        "PlannedOutput": _complete(size | {"dtype": _TEXT, "media_type": _TEXT}),
        "Size": _complete(size),
        "Alternative": _complete({"algorithm": _TEXT, "seconds": _SECONDS}),
    }


def _object(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    """Make the schema of an object without further fields; all fields are required unless `required` names some."""
    return _complete(properties) | {"additionalProperties": False, "required": list(required or properties)}


def _complete(properties: dict[str, Any]) -> dict[str, Any]:
    """Make the schema of an object that has all of its fields."""
    return {"type": "object", "properties": properties, "required": list(properties)}


def _named(key: str, properties: dict[str, Any]) -> dict[str, Any]:
    return _complete({key: _TEXT, **properties})


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _map(values: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": values}
