"""What this version promises holds what released ones did; and what breaks a client is found by the comparer."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from release.compatibility import breaks
from release.contract import KEPT, contract
from release.version import version

RELEASED = sorted(KEPT.glob("*.json"))
Contract = dict[str, Any]


@pytest.fixture(scope="module")
def now() -> Contract:
    found: Contract = json.loads(json.dumps(contract()))
    return found


@pytest.mark.parametrize("kept", RELEASED, ids=lambda path: path.stem)
def test_nothing_that_was_released_is_broken(kept: Path, now: Contract) -> None:
    found = breaks(json.loads(kept.read_text(encoding="utf-8")), now)
    assert not found, "breaks clients: " + "; ".join(found)


def test_this_version_is_kept() -> None:
    assert version() in {path.stem for path in RELEASED}, "python -m release keep"


def schema(document: Contract, name: str) -> dict[str, Any]:
    found: dict[str, Any] = document["openapi"]["components"]["schemas"][name]
    return found


def member(document: Contract, name: str, *path: str) -> dict[str, Any]:
    found = schema(document, name)["properties"]
    for level in path:
        found = found[level]
    return found  # type: ignore[no-any-return]


def post(document: Contract, path: str = "/v1/filter") -> dict[str, Any]:
    found: dict[str, Any] = document["openapi"]["paths"][path]["post"]
    return found


def rename(table: dict[str, Any], old: str, new: str) -> None:
    table[new] = table.pop(old)


BREAKING: dict[str, tuple[Callable[[Contract], object], str]] = {
    "a path is gone": (lambda d: d["openapi"]["paths"].pop("/v1/plan"), "POST /v1/plan is gone"),
    "a path is renamed": (
        lambda d: rename(d["openapi"]["paths"], "/v1/kernels", "/v1/kernel"),
        "GET /v1/kernels is gone",
    ),
    "a method is gone": (lambda d: d["openapi"]["paths"]["/v1/figure"].pop("post"), "POST /v1/figure is gone"),
    "an operation is renamed": (lambda d: post(d).update(operationId="filter"), "was named filterImage"),
    "a key is needed": (lambda d: post(d).update(security=[{"key": []}]), "POST /v1/filter needs a key"),
    "a parameter is gone": (lambda d: post(d)["parameters"].clear(), "has lost the parameter"),
    "a parameter is required": (
        lambda d: post(d).setdefault("parameters", []).append({"name": "user", "in": "query", "required": True}),
        "requires the parameter user",
    ),
    "a form of the request is gone": (
        lambda d: post(d)["requestBody"]["content"].pop("application/json"),
        "no longer takes application/json",
    ),
    "a field of a request is gone": (lambda d: schema(d, "Blur")["properties"].pop("dilation"), "/dilation is gone"),
    "a field of a request is renamed": (
        lambda d: rename(schema(d, "Conv")["properties"], "padding_mode", "border"),
        "/padding_mode is gone",
    ),
    "a field is newly required": (lambda d: schema(d, "Blur")["required"].append("sigma"), "/sigma is required"),
    "a new field is required": (
        lambda d: (
            schema(d, "PlanRequest")["required"].append("user")
            or schema(d, "PlanRequest")["properties"].update(user={"type": "string"})
        ),
        "/user is required",
    ),
    "an operation's name is gone": (
        lambda d: member(d, "Pool", "op").update(const="pooling"),
        '/op no longer takes "pool"',
    ),
    "a word of a request is gone": (
        lambda d: member(d, "Blur", "method")["enum"].remove("box"),
        '/method no longer takes "box"',
    ),
    "a type of a request is narrower": (lambda d: member(d, "ImageShape", "width").update(type="string"), "integer"),
    "an alternative of a request is gone": (
        lambda d: member(d, "Blur", "size")["anyOf"].pop(1),
        "/size no longer takes array",
    ),
    "a number must be an integer": (
        lambda d: member(d, "Blur", "sigma")["anyOf"][0].update(type="integer"),
        "/sigma no longer takes number",
    ),
    "an upper bound is lower": (lambda d: member(d, "Blur", "sigma")["anyOf"][0].update(maximum=100), "maximum 100"),
    "a lower bound is higher": (lambda d: member(d, "Blur", "sigma")["anyOf"][0].update(minimum=1), "minimum 1"),
    "a bound is new": (lambda d: member(d, "ImageShape", "width").update(multipleOf=8), "multipleOf 8"),
    "a list must be longer": (lambda d: member(d, "Chain", "steps").update(minItems=2), "minItems 2"),
    "a list must be shorter": (lambda d: member(d, "Chain", "steps").update(maxItems=4), "maxItems 4"),
    "a text must look otherwise": (
        lambda d: member(d, "Output", "background")["anyOf"][0].update(pattern="^red$"),
        "pattern",
    ),
    "an answer's field is gone": (lambda d: schema(d, "Plan")["properties"].pop("macs"), "/macs is gone"),
    "an answer's field is renamed": (
        lambda d: rename(schema(d, "Plan")["properties"], "seconds", "time"),
        "/seconds is gone",
    ),
    "an answer's field may be missing": (
        lambda d: schema(d, "Plan")["required"].remove("macs"),
        "/macs may be missing",
    ),
    "an answer's field has another type": (
        lambda d: member(d, "Plan", "macs").update(type="string"),
        "/macs may be string",
    ),
    "an answer's integer may be any number": (
        lambda d: member(d, "Plan", "macs").update(type="number"),
        "/macs may be number",
    ),
    "an answer's list holds something else": (
        lambda d: member(d, "Plan", "steps").update(items={"type": "string"}),
        "/steps/* may be string",
    ),
    "alternatives have one more rule": (
        lambda d: member(d, "Blur", "size").update(multipleOf=2),
        "/size has multipleOf 2",
    ),
    "a field of a problem is gone": (lambda d: schema(d, "Problem")["properties"].pop("code"), "/code is gone"),
    "a status is gone": (lambda d: post(d)["responses"].pop("429"), "no longer answers 429"),
    "a form of the answer is gone": (
        lambda d: post(d)["responses"]["200"]["content"].pop("image/webp"),
        "no longer gives image/webp",
    ),
    "a header is gone": (
        lambda d: post(d)["responses"]["200"]["headers"].pop("Server-Timing"),
        "has lost the header Server-Timing",
    ),
    "a code is gone": (lambda d: d["codes"].pop("queue_full"), "problem code queue_full is gone"),
    "a code has another status": (
        lambda d: d["codes"].update(queue_full=503),
        "problem code queue_full was 429, and is 503",
    ),
    "a default is another": (
        lambda d: d["defaults"]["gradient"].update(operator="scharr"),
        'default of gradient\'s field operator was "sobel"',
    ),
    "a preset is gone": (lambda d: d["presets"].pop("sobel"), "preset sobel is gone"),
    "a preset does something else": (lambda d: d["presets"].update(sobel={"op": "blur"}), "preset sobel was"),
    "a metric is gone": (lambda d: d["metrics"].pop("convserve_workers"), "metric convserve_workers is gone"),
    "a metric is renamed": (
        lambda d: rename(d["metrics"], "convserve_requests_total", "convserve_http_requests_total"),
        "metric convserve_requests_total is gone",
    ),
    "a metric has other labels": (
        lambda d: d["metrics"].update(convserve_requests_total=["route", "status"]),
        "metric convserve_requests_total had the labels",
    ),
    "a setting is gone": (
        lambda d: d["settings"]["properties"].pop("CONVSERVE_QUEUE"),
        "setting CONVSERVE_QUEUE is gone",
    ),
    "a setting is renamed": (
        lambda d: rename(d["settings"]["properties"], "CONVSERVE_GRACE", "CONVSERVE_DRAIN"),
        "setting CONVSERVE_GRACE is gone",
    ),
    "a setting is required": (
        lambda d: d["settings"].update(required=["CONVSERVE_API_KEYS"]),
        "setting CONVSERVE_API_KEYS is required",
    ),
    "a setting has another default": (
        lambda d: d["settings"]["properties"]["CONVSERVE_PORT"].update(default=80),
        "setting CONVSERVE_PORT was 8000 by default, and is 80",
    ),
    "a setting takes less": (
        lambda d: d["settings"]["properties"]["CONVSERVE_QUEUE"].update(maximum=10),
        "setting CONVSERVE_QUEUE has maximum 10",
    ),
}
"""Changes, each with a part of the sentence that must be said of it."""


@pytest.mark.parametrize("name", BREAKING)
def test_what_breaks_somebody_is_found(name: str, now: Contract) -> None:
    change, sentence = BREAKING[name]
    later = deepcopy(now)
    change(later)
    found = breaks(now, later)
    assert any(sentence in fault for fault in found), found


ADDING: dict[str, Callable[[Contract], object]] = {
    "a path": lambda d: d["openapi"]["paths"].update({"/v2/filter": {"post": {"operationId": "filter2"}}}),
    "a parameter": lambda d: post(d)["parameters"].append({"name": "user", "in": "query"}),
    "a form of the request": lambda d: post(d)["requestBody"]["content"].update({"image/jxl": {}}),
    "a form of the answer": lambda d: post(d)["responses"]["200"]["content"].update({"image/jxl": {}}),
    "a field of a request": lambda d: schema(d, "Blur")["properties"].update(angle={"type": "number"}),
    "a word of a request": lambda d: member(d, "Blur", "method")["enum"].append("bilateral"),
    "a wider bound": lambda d: member(d, "Blur", "sigma")["anyOf"][0].update(maximum=20_000),
    "an alternative of a request": lambda d: member(d, "Blur", "sigma")["anyOf"].append({"type": "string"}),
    "a field that need not be given": lambda d: schema(d, "ImageShape")["required"].remove("width"),
    "a field of an answer": lambda d: schema(d, "Plan")["properties"].update(watts={"type": "number"}),
    "a field that is always there": lambda d: schema(d, "Problem")["required"].append("errors"),
    "an answer within closer bounds": lambda d: member(d, "Plan", "macs").update(maximum=10**18),
    "a code": lambda d: d["codes"].update(teapot=418),
    "a preset": lambda d: d["presets"].update(new={"op": "blur", "sigma": 1}),
    "a metric": lambda d: d["metrics"].update(convserve_watts=[]),
    "a setting": lambda d: d["settings"]["properties"].update(CONVSERVE_NEW={"type": "string", "default": ""}),
    "words for people": lambda d: post(d).update(summary="Otherwise said", description="At length"),
}


@pytest.mark.parametrize("name", ADDING)
def test_what_is_added_breaks_nobody(name: str, now: Contract) -> None:
    later = deepcopy(now)
    ADDING[name](later)
    assert later != now
    assert breaks(now, later) == []


def operations(now: Contract) -> Iterator[tuple[str, str]]:
    for name, described in now["openapi"]["components"]["schemas"].items():
        if "op" in described.get("properties", {}) and described.get("additionalProperties") is False:
            yield from ((name, field) for field in described["properties"])


def test_every_field_of_every_operation_is_watched(now: Contract) -> None:
    """Each, taken away alone, is missed."""
    fields = list(operations(now))
    assert len(fields) >= 80
    before = deepcopy(now)
    before["openapi"]["paths"] = {"/v1/plan": now["openapi"]["paths"]["/v1/plan"]}
    for name, field in fields:
        later = deepcopy(before)
        del schema(later, name)["properties"][field]
        assert any(f"/{field} is gone" in fault for fault in breaks(before, later)), (name, field)


def test_a_schema_that_holds_itself_is_compared_once() -> None:
    tree = {
        "type": "object",
        "properties": {"children": {"type": "array", "items": {"$ref": "#/components/schemas/Tree"}}},
    }
    body = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Tree"}}}}
    document = {"paths": {"/": {"post": {"requestBody": body}}}, "components": {"schemas": {"Tree": tree}}}
    empty: Contract = {"codes": {}, "defaults": {}, "presets": {}, "metrics": {}, "settings": {"type": "object"}}
    old = {"openapi": document, **empty}
    new = deepcopy(old)
    assert breaks(old, new) == []
    new["openapi"]["components"]["schemas"]["Tree"]["properties"]["children"]["maxItems"] = 2
    assert breaks(old, new) == ["POST / application/json/children has maxItems 2 where there was none"]
