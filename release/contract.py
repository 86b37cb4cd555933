"""What 1.x promises, as one document: read from the running code, kept with each release, compared with the next.

docs/versioning.md says it in words.
"""

from __future__ import annotations

from typing import Any, Final

from release import ROOT
from service.app import create_app
from service.dispatch import Engine, Status
from service.dispatch.board import Seat
from service.engine.spec.built_in_presets import PRESETS
from service.routes import openapi
from service.routes.exchange import Exchange
from service.routes.measure import Metrics
from service.routes.operations import BY_NAME
from service.routes.problem_table import KINDS
from service.settings import Settings, variable

KEPT: Final = ROOT / "tests" / "released"
IN_WORDS: Final = frozenset({"description", "summary", "title", "examples", "example", "expects"})
"""Members that are for people alone, and may say things better at any time."""


def contract() -> dict[str, Any]:
    """Collect all that a client, a program that watches or an operator may rely on."""
    described = without_words(document())
    del described["info"]
    return {
        "openapi": described,
        "codes": {code: kind.status for code, kind in sorted(KINDS.items())},
        "defaults": {op: defaults(kind) for op, kind in sorted(BY_NAME.items())},
        "presets": {name: preset.spec for name, preset in sorted(PRESETS.items())},
        "metrics": dict(sorted(metrics().items())),
        "settings": settings_schema(),
    }


def document() -> dict[str, Any]:
    """Describe the API; settings, but for presets of one's own, do not show in it."""
    return openapi.document(create_app(Settings()).routes, sorted(PRESETS))


def defaults(kind: Any) -> dict[str, Any]:
    """Give the value of each field of an operation that a client may leave out."""
    return {
        field.alias or name: shown(field.default)
        for name, field in kind.model_fields.items()
        if name != "op" and not field.is_required()
    }


def shown(value: Any) -> Any:
    """Give a default in JSON's terms; what has a form of its own in the engine, as it is written."""
    if isinstance(value, tuple):
        return [shown(item) for item in value]
    return value if isinstance(value, bool | int | float | str | None) else repr(value)


def metrics() -> dict[str, list[str]]:
    """Name every sample of the service's own that /metrics can have, with its labels."""
    status = Status(
        ready=True, reason="", workers=1, running=0, queued=0, capacity=0, restarts={"lost": 1}, engine=Engine("", 1.0)
    )
    told = Metrics(lambda: status, Seat.alone())
    exchange = Exchange("", spans={"total": 0.1}, code="invalid_spec")
    told.count("/v1/filter", "POST", 422, exchange)
    return {
        sample.name: sorted(sample.labels)
        for family in told.registry().collect()
        for sample in family.samples
        if sample.name.startswith("convserve_") and not sample.name.endswith("_created")
    }


def settings_schema() -> dict[str, Any]:
    """Describe the settings by the names of their variables."""
    properties = Settings.model_json_schema()["properties"]
    named = {variable(name): properties.get(name) or properties[variable(name)] for name in Settings.model_fields}
    found: dict[str, Any] = without_words(named)
    return {"type": "object", "properties": found, "additionalProperties": False}


def without_words(node: Any, *, names: bool = False) -> Any:
    """Leave out what is for people; `names` says that the keys of `node` are names, not words of JSON Schema."""
    if isinstance(node, list):
        return [without_words(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        key: without_words(value, names=not names and key in {"properties", "schemas", "parameters"})
        for key, value in node.items()
        if names or key not in IN_WORDS
    }
