"""The three forms of a filter request, and what to look for in a refusal."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import quote

import httpx

from service.routes.sample import SAMPLE_PNG

BLUR = {"op": "blur", "sigma": 2}
HEADERS = {"Content-Type": "application/octet-stream"}


async def multipart(client: httpx.AsyncClient, spec: Any = BLUR, **options: Any) -> httpx.Response:
    return await client.post("/v1/filter", files={"image": SAMPLE_PNG}, data={"spec": json.dumps(spec)}, **options)


async def raw(
    client: httpx.AsyncClient, spec: Any = BLUR, *, image: bytes = SAMPLE_PNG, headers: dict[str, str] | None = None
) -> httpx.Response:
    return await client.post(
        f"/v1/filter?spec={quote(json.dumps(spec))}", content=image, headers=HEADERS | (headers or {})
    )


async def document(client: httpx.AsyncClient, spec: Any = BLUR, **options: Any) -> httpx.Response:
    return await client.post(
        "/v1/filter", json={"image": base64.b64encode(SAMPLE_PNG).decode(), "spec": spec}, **options
    )


def refused(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """Check that a refusal has the form that every one has; gives its document."""
    problem: dict[str, Any] = response.json()
    assert (response.status_code, problem["code"]) == (status, code), problem
    assert response.headers["Content-Type"] == "application/problem+json"
    assert problem["status"] == status
    assert problem["type"] == f"/problems/{code}"
    assert problem["request_id"] == response.headers["X-Request-ID"]
    assert problem["title"]
    assert problem["detail"]
    assert problem["instance"].startswith("/")
    return problem
