"""Lists, health, metrics and pages."""

from __future__ import annotations

import re
from dataclasses import replace
from urllib.parse import urljoin

import pytest
from prometheus_client.parser import text_string_to_metric_families

from service.dispatch import Engine
from service.dispatch import errors as dispatch
from service.routes.problem_table import KINDS
from tests.routes.conftest import InProcess, Serve
from tests.routes.requests import multipart, raw, refused

pytestmark = pytest.mark.anyio


async def test_operations_are_listed(serve: Serve) -> None:
    async with serve() as client:
        listed = (await client.get("/v1/operations")).json()
        assert {"conv", "transposed", "deconvolve"} <= {operation["op"] for operation in listed}
        for operation in listed:
            assert operation.keys() == {"op", "summary", "schema", "examples"}
            assert operation["examples"]
            assert (await client.get(f"/v1/operations/{operation['op']}")).json() == operation


async def test_kernels_are_listed(serve: Serve) -> None:
    async with serve() as client:
        kernels = {kernel["name"]: kernel for kernel in (await client.get("/v1/kernels")).json()}
        assert kernels["sobel_x"]["kernel"] == [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]
        assert "sigma" in kernels["gaussian"]["parameters"]


async def test_presets_are_listed(serve: Serve) -> None:
    async with serve() as client:
        for preset in (await client.get("/v1/presets")).json():
            assert preset.keys() == {"name", "summary", "spec"}
            assert (await client.get(f"/v1/presets/{preset['name']}")).json() == preset


async def test_limits_in_force_are_listed(serve: Serve) -> None:
    async with serve(max_body_bytes=1234, deadline=2.5) as client:
        limits = (await client.get("/v1/limits")).json()
        assert limits["max_body_bytes"] == {
            "value": 1234,
            "unit": "bytes",
            "setting": "CONVSERVE_MAX_BODY_BYTES",
            "code": "body_too_large",
        }
        assert limits["deadline"]["value"] == 2.5
        assert all(limit["code"] in KINDS for limit in limits.values())


async def test_unknown_names_hint_at_the_nearest(serve: Serve) -> None:
    async with serve() as client:
        for path, near in (("/v1/operations/blurr", "blur"), ("/v1/presets/edgse", "edges")):
            assert f"'{near}'" in refused(await client.get(path), 404, "not_found")["detail"]


async def test_head_is_get_without_its_body(serve: Serve) -> None:
    async with serve() as client:
        for path in ("/", "/livez", "/v1/limits", "/docs", "/docs/swagger-ui.css", "/problems/not_found"):
            head, get = await client.head(path), await client.get(path)
            assert (head.status_code, head.content) == (200, b"")
            assert head.headers["Content-Length"] == str(len(get.content))


async def test_readiness_has_a_reason(serve: Serve, dispatcher: InProcess) -> None:
    async with serve() as client:
        assert (await client.get("/readyz")).json() == {"status": "ready", "workers": 1, "engine": None}
        dispatcher.status_now = replace(dispatcher.status_now, ready=False, reason="draining")
        answer = await client.get("/readyz")
        assert "draining" in refused(answer, 503, "not_ready")["detail"]
        assert answer.headers["Retry-After"]
        assert (await client.get("/livez")).status_code == 200


async def test_engine_is_told_where_it_is_known(serve: Serve, dispatcher: InProcess) -> None:
    async with serve() as client:
        assert (await client.get("/version")).json()["engine"] is None
        assert "convserve_compiled_ratio" not in (await client.get("/metrics")).text
        dispatcher.status_now = replace(dispatcher.status_now, engine=Engine("x86-64-v3", 0.4))
        told = {"level": "x86-64-v3", "compiled": 0.4}
        assert (await client.get("/readyz")).json()["engine"] == told
        assert (await client.get("/version")).json()["engine"] == told
        assert "convserve_compiled_ratio 0.4" in (await client.get("/metrics")).text


async def test_lifespan_starts_and_stops_the_dispatcher(serve: Serve, dispatcher: InProcess) -> None:
    async with serve():
        assert (dispatcher.started, dispatcher.stopped) == (True, False)
    assert dispatcher.stopped


async def test_version_tells_what_results_depend_on(serve: Serve) -> None:
    async with serve() as client:
        versions = (await client.get("/version")).json()
        assert versions["name"] == "convserve"
        assert re.match(r"\d+\.\d+", versions["version"])
        assert "numpy" in versions["packages"]


async def test_metrics_count_requests_spans_and_refusals(serve: Serve, dispatcher: InProcess) -> None:
    async with serve() as client:
        await multipart(client)
        await client.get("/nope/1")
        await client.request("PURGE", "/nope/2")
        dispatcher.error = dispatch.QueueFull("full", 1)
        await raw(client)
        text = (await client.get("/metrics")).text
    samples = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert samples["convserve_requests_total", "/v1/filter", "200", "POST"] == 1
    assert samples["convserve_requests_total", "/v1/filter", "429", "POST"] == 1
    assert samples["convserve_requests_total", "404", "GET", "unmatched"] == 1
    assert samples["convserve_requests_total", "404", "OTHER", "unmatched"] == 1
    assert samples["convserve_refusals_total", "queue_full"] == 1
    assert samples["convserve_request_duration_seconds_count", "/v1/filter"] == 2
    for span in ("queue", "decode", "step", "encode", "total"):
        assert samples["convserve_span_duration_seconds_count", span] == 1
    assert samples["convserve_worker_restarts_total", "crashed"] == 2
    assert samples["convserve_workers",] == 1
    assert samples["convserve_jobs_running",] == samples["convserve_jobs_queued",] == 0


async def test_two_services_count_for_themselves(serve: Serve) -> None:
    async with serve() as one, serve() as other:
        await one.get("/livez")
        assert 'route="/livez"' not in (await other.get("/metrics")).text


async def test_home_is_json_unless_a_page_is_preferred(serve: Serve) -> None:
    async with serve() as client:
        home = (await client.get("/")).json()
        assert home["name"] == "convserve"
        for target in home["links"].values():
            assert (await client.get(target)).status_code == 200
        for accept in ("text/html,application/xhtml+xml,*/*;q=0.8", "text/html, application/xhtml+xml, */*"):
            page = await client.get("/", headers={"Accept": accept})
            assert page.headers["Content-Type"].startswith("text/html")
        assert 'href="docs"' in page.text
        assert (await client.get("/", headers={"Accept": "text/plain"})).json() == home


async def test_docs_need_no_other_host(serve: Serve) -> None:
    async with serve() as client:
        page = await client.get("/docs")
        links = {urljoin("/docs", link) for link in re.findall(r'(?:src|href)="([^"]+)"', page.text)}
        assert {"/", "/docs/start.js", "/docs/docs.css", "/problems", "/openapi.json"} <= links
        assert "<script>" not in page.text
        assert "http" not in page.text
        for target in links:
            assert (await client.get(target)).status_code == 200


async def test_each_example_of_an_operation_has_a_picture(serve: Serve) -> None:
    async with serve() as client:
        examples = (await client.get("/openapi.json")).json()["paths"]["/v1/filter"]["post"]["requestBody"]["content"][
            "application/json"
        ]["examples"]
        for example in examples.values():
            (picture,) = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", example["description"])
            answer = await client.get(urljoin("/docs", picture))
            assert (answer.status_code, answer.headers["Content-Type"]) == (200, "image/jpeg")
        refused(await client.get("/docs/examples/blur.jpg"), 404, "not_found")
