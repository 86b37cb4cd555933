"""Refusals: one form for all, nothing of the inside, and a page for each."""

from __future__ import annotations

import pytest

from service.dispatch import errors as dispatch
from service.engine import errors as engine
from service.routes.problem_table import KINDS, kind_of
from tests.routes.conftest import InProcess, Serve
from tests.routes.requests import multipart, raw, refused

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (engine.MalformedJson("a"), 400, "malformed_json"),
        (engine.MissingImage("a"), 400, "missing_image"),
        (engine.MissingSpec("a"), 400, "missing_spec"),
        (engine.AmbiguousRequest("a"), 400, "ambiguous_request"),
        (engine.UnsupportedFormat("a"), 415, "unsupported_format"),
        (engine.InvalidSpec("a"), 422, "invalid_spec"),
        (engine.InvalidImage("a"), 422, "invalid_image"),
        (engine.ImageTooLarge("a"), 422, "image_too_large"),
        (engine.OutputTooLarge("a"), 422, "output_too_large"),
        (engine.WorkTooLarge("a"), 422, "work_too_large"),
        (engine.TooManyChannels("a"), 422, "too_many_channels"),
        (engine.MemoryLimit("a"), 422, "memory_limit"),
        (dispatch.WorkerCrashed("a"), 422, "invalid_image"),
        (dispatch.WorkerKilled("a", 3), 503, "worker_killed"),
        (dispatch.QueueFull("a", 3), 429, "queue_full"),
        (dispatch.ShuttingDown("a", 20), 503, "shutting_down"),
        (dispatch.DeadlineExceeded("a"), 504, "deadline_exceeded"),
        (dispatch.JobFailed("a", "Traceback /secret"), 500, "internal_error"),
        (RuntimeError("/secret"), 500, "internal_error"),
    ],
)
async def test_error_has_its_problem(
    serve: Serve, dispatcher: InProcess, error: Exception, status: int, code: str
) -> None:
    async with serve() as client:
        dispatcher.error = error
        answer = await raw(client, headers={"Accept": "text/html, */*", "X-Request-ID": "mine"})
        problem = refused(answer, status, code)
        assert problem["request_id"] == "mine"
        assert "secret" not in answer.text
        assert problem["instance"] == "/v1/filter"


async def test_every_class_of_the_engine_has_a_kind() -> None:
    names = [cls for cls in vars(engine).values() if isinstance(cls, type) and issubclass(cls, engine.EngineError)]
    assert all(kind_of(cls("a")).status < 500 for cls in names)


async def test_refusal_tells_when_to_come_again(serve: Serve, dispatcher: InProcess) -> None:
    async with serve() as client:
        dispatcher.error = dispatch.QueueFull("full", 3)
        assert (await raw(client)).headers["Retry-After"] == "3"


async def test_faults_point_into_what_was_sent(serve: Serve) -> None:
    async with serve() as client:
        spec = {"steps": [{"op": "conv", "kernel": "sobel_x", "stride": 0}, {"op": "blur", "sigmma": 1}]}
        problem = refused(await multipart(client, spec), 422, "invalid_spec")
        assert {fault["pointer"] for fault in problem["errors"]} >= {"/spec/steps/0/stride", "/spec/steps/1/sigmma"}


async def test_methods_that_are_not_served_are_named(serve: Serve) -> None:
    async with serve() as client:
        for method in ("GET", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"):
            answer = await client.request(method, "/v1/filter")
            refused(answer, 405, "method_not_allowed")
            assert answer.headers["Allow"] == "POST"
        assert (await client.request("PURGE", "/v1/limits")).headers["Allow"] == "GET, HEAD"
        assert (await client.head("/v1/filter")).status_code == 405


@pytest.mark.parametrize("path", ["/nope", "/v1", "/v1/filter/", "//v1/filter", "/v1/operations/x", "/docs/../app.py"])
async def test_what_is_not_there_is_not_found(serve: Serve, path: str) -> None:
    async with serve() as client:
        refused(await client.get(path), 404, "not_found")


async def test_path_of_the_client_stays_a_reference(serve: Serve) -> None:
    async with serve() as client:
        problem = refused(await client.get("/n%C3%B6%0A%22<pe>%FF"), 404, "not_found")
        assert problem["instance"].startswith("/n%C3%B6%0A%22%3Cpe%3E")


@pytest.mark.filterwarnings("error")
async def test_unforeseen_error_says_nothing_of_itself(serve: Serve) -> None:
    async with serve(allow_origins="https://a.example") as client:
        answer = await client.get("/broken", headers={"Origin": "https://a.example", "X-Request-ID": "mine"})
        problem = refused(answer, 500, "internal_error")
        assert problem["request_id"] == "mine"
        assert "secret" not in answer.text
        assert "0x7f" not in answer.text
        assert answer.headers["Access-Control-Allow-Origin"] == "https://a.example"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_half_an_answer_is_not_made_to_look_whole(serve: Serve) -> None:
    async with serve() as client:
        client._transport.raise_app_exceptions = True  # type: ignore[attr-defined]
        with pytest.raises(RuntimeError):
            await client.get("/half")


@pytest.mark.parametrize("code", KINDS)
async def test_every_problem_has_a_page(serve: Serve, code: str) -> None:
    async with serve() as client:
        page = await client.get(f"/problems/{code}")
        assert page.status_code == 200
        assert page.headers["Content-Type"].startswith("text/html")
        assert code in page.text
        assert f"problems/{code}" in (await client.get("/problems")).text


async def test_proxy_prefix_is_before_links(serve: Serve) -> None:
    async with serve(root_path="/images") as client:
        problem = (await client.get("/nope")).json()
        assert problem["type"] == "/images/problems/not_found"
        assert (await client.get("/images/problems/not_found")).status_code == 200
        assert (await client.get("/")).json()["links"]["documentation"] == "/images/docs"
        assert (await client.get("/openapi.json")).json()["servers"] == [{"url": "/images"}]
