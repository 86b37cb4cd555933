"""The client, first against invented answers, then against a real server."""

from __future__ import annotations

import asyncio
import json
import pickle
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from service.client import Accept, AsyncClient, Client, Filtered, Refused
from tests.live import Live

Answer = Callable[[httpx.Request], httpx.Response]
SPEC = {"op": "blur", "sigma": 2}
TIMING = 'queue;dur=0.1, decode;dur=1.5, step-0;desc="conv: direct, 3x3";dur=3.25, total;dur=5'
PROBLEM = {
    "status": 422,
    "code": "invalid_spec",
    "detail": "sigma must be positive",
    "errors": [{"pointer": "/spec/sigma", "detail": "must be positive"}],
    "request_id": "abc",
}


def answering(answer: Answer, **options: Any) -> Client:
    return Client("http://service/images", transport=httpx.MockTransport(answer), **options)


def accepted(_: httpx.Request) -> httpx.Response:
    headers = {"Content-Type": "image/png", "Server-Timing": TIMING, "X-Request-ID": "abc"}
    return httpx.Response(200, content=b"png", headers=headers)


def refused(_: httpx.Request) -> httpx.Response:
    return httpx.Response(422, json=PROBLEM)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Count waiting instead of doing it."""
    found: list[float] = []

    async def note(seconds: float) -> None:
        found.append(seconds)

    monkeypatch.setattr("service.client.time.sleep", found.append)
    monkeypatch.setattr("service.client.asyncio.sleep", note)
    return found


def array_of(data: bytes) -> np.ndarray:
    array: np.ndarray = np.load(BytesIO(data))
    return array


def test_image_and_spec_go_as_parts() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        body = request.read()
        assert request.url == "http://service/images/v1/filter"
        assert request.headers["Content-Type"].startswith("multipart/form-data")
        assert request.headers["Authorization"] == "Bearer key"
        assert b'name="image"' in body
        assert b"pixels" in body
        assert json.dumps(SPEC).encode() in body
        return accepted(request)

    with answering(answer, api_key="key") as client:
        result = client.filter(b"pixels", SPEC)
    assert result.png == b"png"
    assert result.request_id == "abc"
    assert result.timings == {"queue": 0.0001, "decode": 0.0015, "step-0": 0.00325, "total": 0.005}


def test_image_is_bytes_a_path_or_an_array(tmp_path: Path) -> None:
    bodies: list[bytes] = []

    def answer(request: httpx.Request) -> httpx.Response:
        bodies.append(request.read())
        return accepted(request)

    (tmp_path / "image").write_bytes(b"pixels")
    array = np.arange(12, dtype=np.uint16).reshape(2, 6)[:, ::2]
    with answering(answer) as client:
        for image in (b"pixels", bytearray(b"pixels"), str(tmp_path / "image"), tmp_path / "image", array):
            client.filter_preset(image, "a preset/of mine")
    assert bodies[:4] == [b"pixels"] * 4
    assert np.array_equal(array_of(bodies[4]), array)


def test_preset_is_quoted() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.raw_path == b"/images/v1/filters/a%2Fb"
        return accepted(request)

    with answering(answer) as client:
        client.filter_preset(b"", "a/b")


def test_array_comes_back_when_asked_for() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        stream = BytesIO()
        np.save(stream, np.ones((2, 3, 1), np.float32))
        return httpx.Response(200, content=stream.getvalue(), headers={"Content-Type": request.headers["Accept"]})

    with answering(answer) as client:
        result = client.filter(b"", SPEC, accept="npy")
    assert np.array_equal(result.array, np.ones((2, 3, 1)))
    with pytest.raises(TypeError, match="no PNG"):
        _ = result.png


@pytest.mark.parametrize("form", ["jpeg", "webp", "avif", "tiff"])
def test_other_forms_come_back_when_asked_for(live: Live, form: Accept) -> None:
    image = np.full((20, 30, 3), 100, np.uint8)
    with Client(live.url) as client:
        result = client.filter(image, SPEC, accept=form)
    assert result.media_type == f"image/{form}"
    assert result.content == result.body
    assert result.array.shape == image.shape
    assert abs(result.array.astype(int) - image).max() <= 2
    with pytest.raises(TypeError, match=f"image/{form}"):
        _ = result.png


def test_form_that_there_is_none_of_is_an_error() -> None:
    with answering(accepted) as client, pytest.raises(ValueError, match="one of png, jpeg, webp, avif, tiff, npy"):
        client.filter(b"", SPEC, accept="gif")  # type: ignore[arg-type]


def test_plan_and_figure() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        document = json.loads(request.read())
        if request.url.path.endswith("/plan"):
            return httpx.Response(200, json=document)
        assert request.url.query == b"animate=false"
        return httpx.Response(200, text=f"<svg>{document['values']}</svg>")

    with answering(answer) as client:
        image = {"width": 4, "height": 3, "channels": 3, "dtype": "uint8"}
        assert client.plan(SPEC, 4, 3) == {"spec": SPEC, "image": image}
        assert client.figure(SPEC, 5, 5, values=[[1]], animate=False) == "<svg>[[1]]</svg>"


def test_refusal_is_raised_with_all_that_it_says() -> None:
    with answering(refused) as client, pytest.raises(Refused, match="422 invalid_spec: sigma must be") as refusal:
        client.filter(b"", SPEC)
    error = refusal.value
    assert (error.status, error.code, error.detail) == (422, "invalid_spec", "sigma must be positive")
    assert error.errors == PROBLEM["errors"]
    assert "/spec/sigma: must be positive" in str(error)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


@pytest.mark.parametrize("content", [b"<html>", b"[1]"])
def test_refusal_of_a_proxy_is_one_too(content: bytes) -> None:
    with (
        answering(lambda _: httpx.Response(502, content=content)) as client,
        pytest.raises(Refused, match="502 : Bad Gateway"),
    ):
        client.plan(SPEC, 1, 1)


@pytest.mark.parametrize(("header", "pause"), [("2", 2.0), ("900", 30.0), ("Wed, 21 Oct 2015 07:28:00 GMT", 1.0)])
def test_full_queue_is_asked_again(pauses: list[float], header: str, pause: float) -> None:
    answers = iter([httpx.Response(429, headers={"Retry-After": header}), httpx.Response(503), None])

    def answer(request: httpx.Request) -> httpx.Response:
        request.read()
        return next(answers) or accepted(request)

    with answering(answer) as client:
        assert client.filter(b"", SPEC).png == b"png"
    assert pauses == [pause, 1.0]


def test_asking_again_has_an_end(pauses: list[float]) -> None:
    full = httpx.Response(429, json={"code": "queue_full"})
    with answering(lambda _: full, retries=2) as client, pytest.raises(Refused, match="queue_full"):
        client.filter(b"", SPEC)
    assert len(pauses) == 2


def test_awaited_client_does_the_same(pauses: list[float]) -> None:
    answers = iter([httpx.Response(429), None, httpx.Response(422, json=PROBLEM)])

    async def main() -> Filtered:
        transport = httpx.MockTransport(lambda request: next(answers) or accepted(request))
        async with AsyncClient("http://service", transport=transport) as client:
            result = await client.filter(np.zeros((2, 2), np.uint8), SPEC)
            with pytest.raises(Refused):
                await client.plan(SPEC, 1, 1)
            return result

    assert asyncio.run(main()).png == b"png"
    assert pauses == [1.0]


def test_real_server_filters(live: Live) -> None:
    image = np.random.default_rng(1).integers(0, 256, (300, 400, 3), np.uint8)
    with Client(live.url) as client:
        picture = client.filter(image, SPEC)
        exact = client.filter(image, SPEC, accept="npy")
        edges = client.filter_preset(picture.png, "edges")
    assert picture.array.shape == exact.array.shape == image.shape
    assert np.abs(picture.array - exact.array).max() <= 0.501
    assert edges.array.shape[:2] == image.shape[:2]
    assert 0 < picture.timings["step-0"] < picture.timings["total"]


def test_real_server_refuses(live: Live) -> None:
    with Client(live.url) as client:
        assert client.plan(SPEC, 640, 480)["output"]["width"] == 640
        with pytest.raises(Refused) as refusal:
            client.filter(np.zeros((2, 2), np.uint8), {"op": "blurr"})
    assert refusal.value.status == 422
    assert refusal.value.errors


def test_real_server_is_awaited(live: Live) -> None:
    async def main() -> list[Filtered]:
        async with AsyncClient(live.url) as client:
            images = [np.full((20, 20), level, np.uint8) for level in range(8)]
            return await asyncio.gather(*(client.filter(image, SPEC, accept="npy") for image in images))

    for level, result in enumerate(asyncio.run(main())):
        assert np.allclose(result.array, level, atol=1e-3)
