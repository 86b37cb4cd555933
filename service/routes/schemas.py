"""The JSON Schemas of what goes over the wire; the spec's own comes from the engine."""

from __future__ import annotations

from typing import Any

from service.engine.spec import json_schema

BINARY: dict[str, Any] = {"type": "string", "format": "binary"}
OF_PATH = {
    "/v1/operations": "Operations",
    "/v1/operations/{op}": "Operation",
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
_SPEC_OBJECT = {"type": "object"}


def ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def components() -> dict[str, Any]:
    """Give all schemas by name."""
    return {
        **_spec(),
        "Problem": _problem(),
        "FilterRequest": _object({"image": _image_text(), "spec": ref("Spec")}, "image", "spec"),
        "PresetRequest": _object({"image": _image_text()}, "image"),
        "PlanRequest": _object({"spec": _planned_spec(), "image": ref("ImageShape")}, "spec", "image"),
        "FigureRequest": _figure_request(),
        "ImageShape": _image_shape(),
        "FilterAnswer": _filter_answer(),
        "Plan": _plan(),
        "Operation": _named("op", {"summary": _TEXT, "schema": {"type": "object"}, "examples": _list(_SPEC_OBJECT)}),
        "Operations": _list(ref("Operation")),
        "Kernel": _named(
            "name", {"summary": _TEXT, "parameters": {"type": "object"}, "kernel": _list(_list({"type": "number"}))}
        ),
        "Kernels": _list(ref("Kernel")),
        "Preset": _named("name", {"summary": _TEXT, "spec": _SPEC_OBJECT}),
        "Presets": _list(ref("Preset")),
        "Limit": _named("unit", {"value": {"type": "number"}, "setting": _TEXT, "code": _TEXT}),
        "Limits": {"type": "object", "additionalProperties": ref("Limit")},
        "Alive": _named("status", {}),
        "Ready": _named("status", {"workers": _COUNT}),
        "Versions": _named("name", {"version": _TEXT, "python": _TEXT, "packages": _map(_TEXT)}),
        "Home": _named("name", {"version": _TEXT, "links": _map(_TEXT)}),
    }


def _spec() -> dict[str, Any]:
    """Lift the definitions within the spec's schema to the document's components."""
    schema = json_schema("#/components/schemas/{model}")
    definitions: dict[str, Any] = schema.pop("$defs", {})
    return {**definitions, "Spec": schema}


def _problem() -> dict[str, Any]:
    fault = _object({"pointer": {"type": "string", "description": "JSON pointer into what was sent."}, "detail": _TEXT})
    return {
        "type": "object",
        "description": "A problem after RFC 9457.",
        "properties": {
            "type": {"type": "string", "format": "uri-reference", "description": "Leads to a page on this service."},
            "title": _TEXT,
            "status": {"type": "integer", "minimum": 400, "maximum": 599},
            "detail": _TEXT,
            "instance": {"type": "string", "format": "uri-reference"},
            "code": {"type": "string", "pattern": "^[a-z_]+$"},
            "request_id": _TEXT,
            "errors": _list(fault | {"required": ["pointer", "detail"]}),
        },
        "required": ["type", "title", "status", "detail", "instance", "code", "request_id"],
    }


def _image_text() -> dict[str, Any]:
    return {"type": "string", "description": "The image as base64, or as a data: URI with base64."}


def _planned_spec() -> dict[str, Any]:
    text = 'A spec; wherever it has the numbers of a kernel or weight, `{"shape": [...]}` may stand.'
    return {"type": "object", "description": text}


def _image_shape() -> dict[str, Any]:
    return _object(
        {
            "width": _SIZE,
            "height": _SIZE,
            "channels": {**_SIZE, "default": 3},
            "dtype": {"enum": ["uint8", "uint16", "float32", "float64"], "default": "uint8"},
        },
        "width",
        "height",
    )


def _figure_request() -> dict[str, Any]:
    sides = _object({"width": _SIZE, "height": _SIZE}, "width", "height")
    values = _list(_list({"type": "number"})) | {"description": "The numbers of the image, row by row."}
    return _object({"spec": _planned_spec(), "image": sides, "values": values}, "spec", "image")


def _filter_answer() -> dict[str, Any]:
    image = _object(
        {
            "media_type": {"const": "image/png"},
            "width": _SIZE,
            "height": _SIZE,
            "channels": _SIZE,
            "dtype": {"enum": ["uint8", "uint16"]},
            "data": {"type": "string", "contentEncoding": "base64", "contentMediaType": "image/png"},
        }
    )
    timings = _map(_SECONDS) | {"description": "Milliseconds by part."}
    return {"type": "object", "properties": {"image": image, "timings": timings, "plan": ref("Plan")}} | {
        "required": ["image", "timings", "plan"]
    }


def _plan() -> dict[str, Any]:
    shape = {"type": "object", "properties": {"width": _SIZE, "height": _SIZE, "channels": _SIZE}}
    costs = {"parameters": _COUNT, "macs": _COUNT, "seconds": _SECONDS}
    way = {"type": "object", "properties": {"algorithm": _TEXT, "seconds": _SECONDS}}
    step = {
        "type": "object",
        "properties": {
            "op": _TEXT,
            "resolved": {"type": "object"},
            "input": shape,
            "output": shape,
            "bias_parameters": _COUNT,
            "algorithm": _TEXT,
            "alternatives": _list(way),
            **costs,
        },
    }
    return {
        "type": "object",
        "properties": {"image": shape, "steps": _list(step), "output": shape, "peak_bytes": _COUNT, **costs},
        "required": ["image", "steps", "output", "parameters", "macs", "peak_bytes", "seconds"],
    }


def _object(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    """Make the schema of an object without further fields."""
    named = {"required": list(required)} if required else {}
    return {"type": "object", "properties": properties, "additionalProperties": False, **named}


def _named(key: str, properties: dict[str, Any]) -> dict[str, Any]:
    """Make the schema of an object that has all of its fields."""
    fields = {key: _TEXT, **properties}
    return {"type": "object", "properties": fields, "required": list(fields)}


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _map(values: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": values}
