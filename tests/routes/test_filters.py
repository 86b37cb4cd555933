"""An image in, an image out: forms of the request and of the answer, headers, presets, a client that goes away."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service.routes.responses import CHUNK
from service.routes.sample import HEIGHT, SAMPLE_PNG, WIDTH
from tests.routes.conftest import InProcess, Serve
from tests.routes.requests import BLUR, HEADERS, document, multipart, raw, refused

pytestmark = pytest.mark.anyio


async def test_three_forms_give_identical_bytes(serve: Serve) -> None:
    async with serve() as client:
        answers = [await form(client) for form in (multipart, raw, document)]
        assert [answer.status_code for answer in answers] == [200, 200, 200]
        assert len({answer.content for answer in answers}) == 1
        assert answers[0].content.startswith(b"\x89PNG")


async def test_spec_may_be_a_file_part(serve: Serve) -> None:
    async with serve() as client:
        spec = ("blob", json.dumps(BLUR).encode(), "application/json")
        answer = await client.post("/v1/filter", files={"image": ("a.png", SAMPLE_PNG), "spec": spec})
        assert answer.content == (await raw(client)).content


async def test_headers_tell_sizes_and_timings(serve: Serve) -> None:
    async with serve() as client:
        headers = (await multipart(client, {"op": "pool", "method": "max", "size": 2})).headers
        sizes = [int(headers[f"X-{of}-{side}"]) for of in ("Origin", "Result") for side in ("Width", "Height")]
        assert sizes == [WIDTH, HEIGHT, WIDTH // 2, HEIGHT // 2]
        assert headers["Timing-Allow-Origin"] == "*"
        names = re.findall(r"(?:^|, )([a-z0-9-]+)", headers["Server-Timing"])
        assert names == ["queue", "decode", "step-0", "encode", "total"]
        assert re.search(r'step-0;desc="pool: [^"]+";dur=\d+\.\d+', headers["Server-Timing"])


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        (None, "image/png"),
        ("*/*", "image/png"),
        ("image/*", "image/png"),
        ("image/png", "image/png"),
        ("text/html,image/apng,*/*;q=0.8", "image/png"),
        ("application/x-npy", "application/x-npy"),
        ("image/jpeg", "image/jpeg"),
        ("image/webp", "image/webp"),
        ("image/avif", "image/avif"),
        ("image/tiff", "image/tiff"),
        ("image/avif,image/webp,image/apng,*/*;q=0.8", "image/webp"),
        ("image/jpeg, image/png", "image/png"),
        ("image/jpeg, application/json", "image/jpeg"),
        ("image/jpeg;q=0.9, application/json", "application/json"),
        ("image/*, image/webp;q=0.5", "image/png"),
        ("image/*;q=0.5, image/webp", "image/webp"),
        ("image/png;q=0, image/*", "image/jpeg"),
        ("text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", "image/png"),
        ("application/json", "application/json"),
        ("application/json, */*", "image/png"),
        ("application/json, text/plain, */*", "image/png"),
        ("application/json, */*;q=0.9", "application/json"),
        ("application/json;q=0.9, image/png;q=0.8", "application/json"),
        ("application/json; charset=utf-8", "application/json"),
        ("text/html, image/gif, *; q=.2, */*; q=.2", "image/png"),
        ("*", "image/png"),
        ("*/*;q=1.0000", "image/png"),
        ("application/json;q=0.80000, image/png;q=0.7", "application/json"),
        ("image/png;q=7", "image/png"),
        ("image/png;q=high", "image/png"),
        ("image/png;q=", "image/png"),
        ("image/png;q", "image/png"),
        ("image/png;q=-1", "image/png"),
        ("application/json;level=1;Q=1;x=y, image/png;q=0.9", "application/json"),
        ('application/json;note="a, b; q=0";q=0.9, image/png;q=0.8', "application/json"),
        (",, , image/png ,", "image/png"),
        (",", "image/png"),
        (" ", "image/png"),
        ("nonsense, application/json", "application/json"),
        ("image/png;q=0.5, application/x-npy", "application/x-npy"),
        ("image/png;q=0, */*", "application/x-npy"),
        ("Image/PNG", "image/png"),
        ("application/*;q=0.5, image/gif", "application/x-npy"),
    ],
)
async def test_accept_chooses_the_form(serve: Serve, accept: str | None, media_type: str) -> None:
    async with serve() as client:
        client.headers.pop("Accept")
        answer = await raw(client, headers={"Accept": accept} if accept else {})
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, media_type)
        assert "Accept" in answer.headers["Vary"]


async def test_accept_in_several_lines_is_one(serve: Serve) -> None:
    async with serve() as client:
        client.headers.pop("Accept")
        for lines, media_type in (
            (["text/html", "application/json"], "application/json"),
            (["application/json;q=0.1", "image/png"], "image/png"),
        ):
            headers = [("Content-Type", "image/png"), *(("Accept", line) for line in lines)]
            answer = await client.post("/v1/filters/sobel", content=SAMPLE_PNG, headers=headers)
            assert answer.headers["Content-Type"] == media_type


@pytest.mark.parametrize(
    "accept",
    ["image/gif", "text/html", "*/*;q=0", "*;q=0.000", "image/png;q=0, text/*", "nonsense", "*/png", '"image/png"'],
)
async def test_what_cannot_be_served_is_not_acceptable(serve: Serve, dispatcher: InProcess, accept: str) -> None:
    async with serve() as client:
        answer = await raw(client, headers={"Accept": accept})
        refused(answer, 406, "not_acceptable")
        assert answer.headers["Vary"] == "Accept"
        assert not dispatcher.jobs


async def test_array_is_the_unclipped_result(serve: Serve) -> None:
    async with serve() as client:
        spec = {"op": "conv", "kernel": "laplacian", "padding": "same"}
        array = np.load(io.BytesIO((await raw(client, spec, headers={"Accept": "application/x-npy"})).content))
        assert (array.dtype, array.shape) == (np.float32, (HEIGHT, WIDTH, 3))
        assert array.min() < 0


async def test_json_holds_the_same_png(serve: Serve) -> None:
    async with serve() as client:
        answer = (await raw(client, headers={"Accept": "application/json"})).json()
        assert base64.b64decode(answer["image"]["data"]) == (await raw(client)).content
        assert (answer["image"]["width"], answer["image"]["channels"]) == (WIDTH, 3)
        assert {"decode", "step-0", "encode", "total"} <= answer["timings"].keys()
        assert answer["plan"]["steps"][0]["op"] == "blur"


@pytest.mark.parametrize(
    ("form", "output"),
    [
        ("jpeg", {"quality": 40}),
        ("webp", {"quality": "lossless"}),
        ("avif", {"quality": 3.0, "compression": "small"}),
        ("tiff", {"dtype": "uint16"}),
    ],
)
async def test_json_holds_any_of_the_forms(serve: Serve, form: str, output: dict[str, Any]) -> None:
    async with serve() as client:
        spec: dict[str, Any] = {"steps": [BLUR], "output": output}
        plain = (await raw(client, spec, headers={"Accept": f"image/{form}"})).content
        spec["output"]["media_type"] = f"image/{form}"
        answer = (await raw(client, spec, headers={"Accept": "application/json"})).json()
        assert answer["image"]["media_type"] == answer["plan"]["output"]["media_type"] == f"image/{form}"
        assert base64.b64decode(answer["image"]["data"]) == plain
        assert (await raw(client, spec, headers={"Accept": f"image/{form}"})).content == plain


async def test_form_that_cannot_hold_the_result_is_refused_with_its_place(serve: Serve) -> None:
    async with serve() as client:
        spec = {"steps": [BLUR], "output": {"quality": 40}}
        problem = refused(await raw(client, spec), 422, "invalid_spec")
        assert problem["errors"][0]["pointer"] == "/spec/output/quality"
        image = {"width": 70_000, "height": 3, "channels": 3}
        document = {"spec": {"steps": [BLUR], "output": {"media_type": "image/webp"}}, "image": image}
        problem = refused(await client.post("/v1/plan", json=document), 422, "invalid_spec")
        assert problem["errors"][0]["pointer"] == "/spec/output"


async def test_preset_may_say_the_quality(serve: Serve, tmp_path: Path) -> None:
    spec = {"steps": [BLUR], "output": {"quality": 30}}
    (tmp_path / "presets.json").write_text(json.dumps({"soft": spec}), encoding="utf-8")
    async with serve(presets=tmp_path / "presets.json") as client:
        headers = {"Accept": "image/webp", "Content-Type": "image/png"}
        answer = await client.post("/v1/filters/soft", content=SAMPLE_PNG, headers=headers)
        assert answer.content == (await raw(client, spec, headers={"Accept": "image/webp"})).content


async def test_preset_is_its_spec(serve: Serve) -> None:
    async with serve() as client:
        spec = (await client.get("/v1/presets/gaussian-blur")).json()["spec"]
        wanted = (await raw(client, spec)).content
        path = "/v1/filters/gaussian-blur"
        encoded = base64.b64encode(SAMPLE_PNG).decode()
        answers = [
            await client.post(path, files={"image": SAMPLE_PNG}),
            await client.post(path, content=SAMPLE_PNG, headers={"Content-Type": "image/png"}),
            await client.post(path, json={"image": encoded}),
        ]
        assert [answer.content for answer in answers] == [wanted] * 3


async def test_unknown_preset_names_the_nearest(serve: Serve) -> None:
    async with serve() as client:
        problem = refused(await client.post("/v1/filters/sobell", content=SAMPLE_PNG), 404, "not_found")
        assert "'sobel'" in problem["detail"]
        problem = refused(await client.post("/v1/filters/%3Cscript%3E", content=SAMPLE_PNG), 404, "not_found")
        assert "script" not in problem["detail"]


async def test_preset_takes_no_spec(serve: Serve) -> None:
    async with serve() as client:
        path = "/v1/filters/sobel"
        text = json.dumps(BLUR)
        answers = [
            await client.post(path, files={"image": SAMPLE_PNG}, data={"spec": text}),
            await client.post(path, params={"spec": text}, content=SAMPLE_PNG, headers=HEADERS),
            await client.post(path, json={"image": base64.b64encode(SAMPLE_PNG).decode(), "spec": BLUR}),
        ]
        for answer in answers:
            refused(answer, 400, "ambiguous_request")


async def test_client_that_goes_away_frees_its_worker(serve: Serve, dispatcher: InProcess) -> None:
    async with serve() as client:
        dispatcher.hold = asyncio.Event()
        gone = asyncio.Event()
        app = client._transport.app  # type: ignore[attr-defined]
        messages: list[dict[str, Any]] = [{"type": "http.request", "body": SAMPLE_PNG, "more_body": False}]

        async def receive() -> dict[str, Any]:
            if messages:
                return messages.pop()
            await gone.wait()
            return {"type": "http.disconnect"}

        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        task = asyncio.create_task(app(scope(b"spec=" + json.dumps(BLUR).encode()), receive, send))
        while not dispatcher.jobs:
            await asyncio.sleep(0)
        assert dispatcher.cancelled == 0
        gone.set()
        await task
        assert dispatcher.cancelled == 1
        assert sent[0]["status"] == 499


async def test_client_that_goes_away_in_its_body_costs_no_job(serve: Serve, dispatcher: InProcess) -> None:
    async with serve() as client:
        messages: list[dict[str, Any]] = [
            {"type": "http.request", "body": SAMPLE_PNG[:9], "more_body": True},
            {"type": "http.disconnect"},
        ]

        async def receive() -> dict[str, Any]:
            return messages.pop(0)

        async def send(message: Any) -> None:
            pass

        await client._transport.app(scope(b"spec={}"), receive, send)  # type: ignore[attr-defined]
        assert not dispatcher.jobs


async def test_deadline_runs_from_when_the_body_was_read(serve: Serve, dispatcher: InProcess) -> None:
    before = asyncio.get_running_loop().time()
    async with serve(max_steps=3) as client:
        await raw(client)
        (job,) = dispatcher.jobs
        assert before <= job.received
        assert job.limits.max_steps == 3


def scope(query: bytes) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/v1/filter",
        "raw_path": b"/v1/filter",
        "query_string": query,
        "root_path": "",
        "headers": [(b"content-type", b"image/png")],
        "client": ("127.0.0.1", 1),
        "server": ("service", 80),
    }


async def test_large_answer_is_whole(serve: Serve) -> None:
    async with serve() as client:
        spec = {"op": "conv", "kernel": [[1]], "padding": 600}
        answer = await raw(client, spec, headers={"Accept": "application/x-npy"})
        array = np.load(io.BytesIO(answer.content))
        assert array.shape == (HEIGHT + 1200, WIDTH + 1200, 3)
        assert int(answer.headers["Content-Length"]) == len(answer.content) > 10 * CHUNK
