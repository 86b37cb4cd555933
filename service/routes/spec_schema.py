"""The spec's JSON Schema in a form that OpenAPI compilers understand: one component for each kind of object.

Differences from the engine's schema in `/v1/operations`: an object within a field has a name; a field's default is in
its description, as compilers assume that a field with a default is always present; and fields have no titles, as
compilers would name classes after them.
"""

from __future__ import annotations

import json
from typing import Any

from service.engine.operations.base import ALTERNATIVES, ONLY_WITH
from service.engine.spec.spec import json_schema

PREFIX = "#/components/schemas/"
_NOT_SAID = ("title", "default", ONLY_WITH, ALTERNATIVES)

Schema = dict[str, Any]


def components() -> dict[str, Schema]:
    """Return `Spec`, `Operation` (one step of it), each operation, and their parts."""
    schema = json_schema(PREFIX + "{model}")
    named: dict[str, Schema] = {}
    models = {name: _lifted(model, named) for name, model in schema.pop("$defs").items()}
    operations = [ref(_name(member["$ref"])) for member in schema["anyOf"][0]["oneOf"]]
    models["Chain"]["properties"]["steps"]["items"] = ref("Operation")
    return {
        **models,
        **named,
        "Operation": {"description": "One step of a spec, told apart by `op`.", "oneOf": operations},
        "Spec": {"description": "One operation, or several in a row.", "oneOf": [*operations, ref("Chain")]},
    }


def ref(name: str) -> dict[str, str]:
    return {"$ref": PREFIX + name}


def _name(reference: str) -> str:
    return reference.removeprefix(PREFIX)


def _lifted(schema: Schema, named: dict[str, Schema]) -> Schema:
    """Rewrite the schema of a model; `named` collects the objects in its fields."""
    fields = {name: _field(field, named) for name, field in schema["properties"].items()}
    return {name: value for name, value in schema.items() if name not in _NOT_SAID} | {"properties": fields}


def _field(schema: Schema, named: dict[str, Schema]) -> Schema:
    told = schema.get("description", "")
    if schema.get("default") is not None:
        told = f"{told} Default {json.dumps(schema['default'])}.".strip()
    field: Schema = _named(schema | {"title": ""}, named)
    return field | ({"description": told} if told else {})


def _named(schema: Any, named: dict[str, Schema]) -> Any:
    """Replace each schema that has a title by a reference."""
    if isinstance(schema, list):
        return [_named(item, named) for item in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {name: _named(value, named) for name, value in schema.items() if name not in _NOT_SAID}
    if "properties" in schema:
        kept["properties"] = {name: _field(field, named) for name, field in schema["properties"].items()}
    title = schema.get("title", "")
    if not title:
        return kept
    named[title] = kept
    return ref(title)
