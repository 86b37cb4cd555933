from __future__ import annotations

import pytest

from service.settings import BadSettings, Settings
from tests.routes.conftest import Serve
from tests.routes.requests import multipart, refused

pytestmark = pytest.mark.anyio

KEYS = "first-key,second-key"
ORIGIN = {"Origin": "https://a.example"}
PREFLIGHT = ORIGIN | {"Access-Control-Request-Method": "POST"}


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer first-key"},
        {"Authorization": "bearer second-key"},
        {"X-API-Key": "second-key"},
        {"X-API-Key": "first-key", "Authorization": "Basic Zm9v"},
    ],
)
async def test_any_key_opens(serve: Serve, headers: dict[str, str]) -> None:
    async with serve(api_keys=KEYS) as client:
        for path in ("/v1/limits", "/metrics"):
            assert (await client.get(path, headers=headers)).status_code == 200
        assert (await multipart(client, headers=headers)).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer first-ke"},
        {"Authorization": "Bearer first-key,second-key"},
        {"Authorization": "Bearer "},
        {"Authorization": "first-key"},
        {"X-API-Key": ""},
        {"X-API-Key": "FIRST-KEY"},
    ],
)
@pytest.mark.parametrize("path", ["/v1/limits", "/metrics", "/v1/filter", "/v1/nope", "/v1", "/%761/limits"])
async def test_without_a_key_it_stays_shut(serve: Serve, headers: dict[str, str], path: str) -> None:
    async with serve(api_keys=KEYS) as client:
        answer = await client.get(path, params={"api_key": "first-key"}, headers=headers)
        refused(answer, 401, "unauthorized")
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


async def test_key_is_asked_for_behind_a_proxy_prefix(serve: Serve) -> None:
    async with serve(api_keys=KEYS, root_path="/images") as client:
        for path in ("/v1/limits", "/images/v1/limits", "/metrics", "/images/metrics"):
            assert (await client.get(path)).status_code == 401


@pytest.mark.parametrize(
    "path", ["/", "/livez", "/readyz", "/version", "/docs", "/docs/start.js", "/openapi.json", "/problems/unauthorized"]
)
async def test_pages_need_no_key(serve: Serve, path: str) -> None:
    async with serve(api_keys=KEYS) as client:
        assert (await client.get(path)).status_code == 200


async def test_other_origins_are_closed_by_default(serve: Serve) -> None:
    async with serve() as client:
        assert "Access-Control-Allow-Origin" not in (await client.get("/v1/limits", headers=ORIGIN)).headers
        refused(await client.options("/v1/filter", headers=PREFLIGHT), 405, "method_not_allowed")


async def test_allowed_origin_may_call_and_read(serve: Serve) -> None:
    async with serve(allow_origins="https://a.example,https://b.example", api_keys=KEYS) as client:
        preflight = await client.options("/v1/filter", headers=PREFLIGHT)
        assert preflight.status_code == 204
        assert preflight.headers["Access-Control-Allow-Origin"] == "https://a.example"
        assert "POST" in preflight.headers["Access-Control-Allow-Methods"]
        assert "X-API-Key" in preflight.headers["Access-Control-Allow-Headers"]
        refusal = await client.get("/v1/limits", headers=ORIGIN)
        refused(refusal, 401, "unauthorized")
        assert refusal.headers["Access-Control-Allow-Origin"] == "https://a.example"
        exposed = refusal.headers["Access-Control-Expose-Headers"]
        assert all(name in exposed for name in ("Server-Timing", "X-Request-ID", "X-Result-Width"))
        assert "Origin" in refusal.headers["Vary"]


async def test_unlisted_origin_stays_closed(serve: Serve) -> None:
    async with serve(allow_origins="https://a.example") as client:
        answer = await client.get("/livez", headers={"Origin": "https://a.example.evil"})
        assert "Access-Control-Allow-Origin" not in answer.headers
        refused(await client.options("/v1/filter", headers=PREFLIGHT | {"Origin": "null"}), 405, "method_not_allowed")


async def test_star_opens_to_all(serve: Serve) -> None:
    async with serve(allow_origins="*") as client:
        assert (await client.get("/livez", headers=ORIGIN)).headers["Access-Control-Allow-Origin"] == "*"


async def test_answers_keep_browsers_from_guessing(serve: Serve) -> None:
    async with serve() as client:
        for path in ("/v1/limits", "/docs", "/nope", "/problems"):
            headers = (await client.get(path)).headers
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert "default-src 'none'" in headers["Content-Security-Policy"]
            assert "script-src 'unsafe-inline'" not in headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    "origin",
    [
        "capacitor://localhost",
        "ionic://localhost",
        "tauri://localhost",
        "chrome-extension://abcdefghijklmnopabcdefghijklmnop",
        "moz-extension://0a1b2c3d-0a1b-4c2d-8e3f-0a1b2c3d4e5f",
        "app://",
        "app://-",
        "file://",
        "http://[::1]:3000",
    ],
)
async def test_origin_of_any_scheme_is_allowed_exactly(serve: Serve, origin: str) -> None:
    async with serve(allow_origins=f"https://a.example,{origin}") as client:
        answer = await client.get("/livez", headers={"Origin": origin})
        assert answer.headers["Access-Control-Allow-Origin"] == origin
        for other in (f"{origin}x", origin.upper(), origin[:-1], "null", "capacitor://localhost:80"):
            answer = await client.get("/livez", headers={"Origin": other})
            assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "example.org",
        "https://",
        "https://a.example/",
        "capacitor://localhost/a",
        "a b://c",
        "app:",
        "*.a",
        "1://a",
        "APP://a",
    ],
)
def test_what_is_no_origin_stops_the_start(origin: str) -> None:
    with pytest.raises(BadSettings, match=r'CONVSERVE_ALLOW_ORIGINS is .* must be origins such as .* not "null"'):
        Settings.load(allow_origins=origin)
