"""The OpenAPI document says what is so, and its examples run."""

from __future__ import annotations

import re
from typing import Any

import httpx
import jsonschema_rs
import pytest

from service.routes.filters import ANSWERS
from service.routes.operations import BY_NAME
from service.routes.problem_table import KINDS
from tests.routes.conftest import Serve
from tests.routes.requests import multipart, raw

pytestmark = pytest.mark.anyio


async def described(client: httpx.AsyncClient) -> dict[str, Any]:
    document: dict[str, Any] = (await client.get("/openapi.json")).json()
    return document


def validator(document: dict[str, Any], name: str) -> jsonschema_rs.Validator:
    schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
    return jsonschema_rs.Draft202012Validator(schema)


def references(node: Any) -> set[str]:
    if isinstance(node, dict):
        own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
        return own.union(*map(references, node.values()))
    return set().union(*map(references, node)) if isinstance(node, list) else set()


async def test_document_is_openapi(serve: Serve) -> None:
    async with serve() as client:
        document = await described(client)
        assert document["openapi"].startswith("3.1")
        assert document["info"]["license"]["identifier"] == "Apache-2.0"
        identifiers = [operation["operationId"] for path in document["paths"].values() for operation in path.values()]
        assert len(identifiers) == len(set(identifiers))
        known = {tag["name"] for tag in document["tags"]}
        for path, methods in document["paths"].items():
            for operation in methods.values():
                assert set(operation["tags"]) <= known
                assert operation["summary"]
                assert operation["description"]
                assert all(response.keys() & {"description", "$ref"} for response in operation["responses"].values())
                names = {
                    parameter["name"] for parameter in operation.get("parameters", ()) if parameter["in"] == "path"
                }
                assert all(f"{{{name}}}" in path for name in names)
                assert path.count("{") == len(names)


async def test_references_resolve_and_schemas_are_schemas(serve: Serve) -> None:
    async with serve() as client:
        document = await described(client)
        for reference in references(document):
            node: Any = document
            for level in reference.removeprefix("#/").split("/"):
                node = node[level.replace("~1", "/").replace("~0", "~")]
        for name, schema in document["components"]["schemas"].items():
            assert jsonschema_rs.meta.is_valid(schema), name
            validator(document, name)


async def test_three_forms_and_all_answers_are_described(serve: Serve) -> None:
    async with serve() as client:
        document = await described(client)
        operation = document["paths"]["/v1/filter"]["post"]
        assert {"multipart/form-data", "application/json", "image/*"} <= operation["requestBody"]["content"].keys()
        assert operation["requestBody"]["content"]["multipart/form-data"]["encoding"]["spec"] == {
            "contentType": "application/json"
        }
        assert operation["parameters"][0]["schema"] == {"type": "string"}
        assert list(operation["responses"]["200"]["content"]) == list(ANSWERS)
        assert operation["responses"].keys() >= {"400", "401", "406", "413", "415", "422", "429", "500", "503", "504"}
        assert {str(kind.status) for kind in KINDS.values()} == document["components"]["responses"].keys()


async def test_spec_is_one_union_and_operations_are_verbs(serve: Serve) -> None:
    async with serve() as client:
        document = await described(client)
        schemas = document["components"]["schemas"]
        for name in ("FilterRequest", "PlanRequest", "FigureRequest", "Preset"):
            assert schemas[name]["properties"]["spec"] == {"$ref": "#/components/schemas/Spec"}, name
        form = document["paths"]["/v1/filter"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
        assert form["properties"]["spec"]["$ref"] == "#/components/schemas/Spec"
        verbs = {operation["operationId"] for path in document["paths"].values() for operation in path.values()}
        assert verbs >= {"filterImage", "filterWithPreset", "planSpec", "drawFigure", "listKernels", "getOperation"}
        assert all(re.fullmatch(r"(filter|plan|draw|list|get|check)[A-Z]\w+", verb) for verb in verbs), verbs


async def test_nothing_that_may_be_left_out_is_required(serve: Serve) -> None:
    async with serve() as client:
        schemas = (await described(client))["components"]["schemas"]
        for operation in BY_NAME.values():
            required = set(schemas[operation.__name__]["required"])
            assert required == {name for name, field in operation.model_fields.items() if field.is_required()}
        assert "default" not in keys(schemas)
        assert "title" not in keys({name: schema for name, schema in schemas.items() if name != "Problem"})
        for name, schema in schemas.items():
            for object_ in objects(schema):
                assert object_.get("properties") or object_.get("additionalProperties"), name


def keys(node: Any) -> set[str]:
    """Gather the keywords of schemas; the names of fields and what stands in examples are none."""
    if isinstance(node, list):
        return set().union(*map(keys, node))
    if not isinstance(node, dict):
        return set()
    inner = (value for key, value in node.items() if key not in {"examples", "properties"})
    return set(node).union(*map(keys, inner), *map(keys, node.get("properties", {}).values()))


def objects(node: Any) -> list[dict[str, Any]]:
    if isinstance(node, list):
        return [found for item in node for found in objects(item)]
    if not isinstance(node, dict):
        return []
    own = [node] if node.get("type") == "object" else []
    return own + [found for key, value in node.items() if key != "examples" for found in objects(value)]


async def test_every_route_is_described(serve: Serve) -> None:
    async with serve() as client:
        paths = (await described(client))["paths"].keys()
        assert {"/v1/filter", "/v1/filters/{preset}", "/v1/plan", "/v1/operations/{op}", "/metrics", "/"} <= paths


async def test_every_example_runs(serve: Serve) -> None:
    async with serve() as client:
        document = await described(client)
        for path in ("/v1/filter", "/v1/plan", "/v1/filters/sobel"):
            described_path = "/v1/filters/{preset}" if "sobel" in path else path
            content = document["paths"][described_path]["post"]["requestBody"]["content"]["application/json"]
            check = validator(document, content["schema"]["$ref"].rpartition("/")[2])
            assert len(content["examples"]) >= (len(BY_NAME) if "sobel" not in path else 1)
            for name, example in content["examples"].items():
                check.validate(example["value"])
                within_json = {"Accept": "application/json"} if name.startswith("as-") else {}
                answer = await client.post(path, json=example["value"], headers=within_json)
                assert answer.status_code == 200, (name, answer.text)


async def test_answers_fit_their_schemas(serve: Serve) -> None:
    async with serve() as client:
        document = await described(client)
        for path, methods in document["paths"].items():
            content = methods.get("get", {}).get("responses", {}).get("200", {}).get("content", {})
            if "application/json" in content:
                name = content["application/json"]["schema"]["$ref"].rpartition("/")[2]
                answer = await client.get(path.format(op="conv", preset="sobel", code="not_found"))
                validator(document, name).validate(answer.json())
        validator(document, "FilterAnswer").validate((await raw(client, headers={"Accept": "application/json"})).json())
        validator(document, "Problem").validate((await multipart(client, {"op": "blurr"})).json())
        plan = {"spec": {"op": "conv", "kernel": {"shape": [3, 3]}}, "image": {"width": 9, "height": 9}}
        validator(document, "PlanRequest").validate(plan)
        validator(document, "Plan").validate((await client.post("/v1/plan", json=plan)).json())
