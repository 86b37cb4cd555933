"""The straight way to the filter routes gives what the router would give, and leaves everything else to it."""

from __future__ import annotations

import json

import pytest

from service.routes.sample import SAMPLE_PNG
from tests.routes.conftest import Serve
from tests.routes.requests import BLUR, refused

pytestmark = pytest.mark.anyio

PNG = {"Content-Type": "image/png"}
SPEC = {"spec": json.dumps(BLUR)}


@pytest.mark.parametrize("prefix", ["", "/images"])
@pytest.mark.parametrize(("path", "query"), [("/v1/filter", SPEC), ("/v1/filters/edges", {})])
async def test_with_and_without_a_prefix(serve: Serve, prefix: str, path: str, query: dict[str, str]) -> None:
    async with serve(root_path="/images") as client:
        answer = await client.post(prefix + path, params=query, content=SAMPLE_PNG, headers=PNG)
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "image/png")
        counted = (await client.get("/metrics")).text
        route = "/v1/filters/{preset}" if "edges" in path else path
        assert f'convserve_requests_total{{method="POST",route="{route}",status="200"}} 1.0' in counted


async def test_the_router_answers_all_else(serve: Serve) -> None:
    async with serve() as client:
        assert refused(await client.get("/v1/filter"), 405, "method_not_allowed")
        assert refused(await client.post("/v1/filter/"), 404, "not_found")
        near = refused(await client.post("/v1/filters/edgs", content=SAMPLE_PNG, headers=PNG), 404, "not_found")
        assert "'edges'" in near["detail"]
