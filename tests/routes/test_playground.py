from __future__ import annotations

import re
from pathlib import Path

import pytest

import service
from tests.routes.conftest import Serve
from tests.routes.requests import refused

pytestmark = pytest.mark.anyio

FOLDER = Path(service.__file__).parent / "playground"
FILES = sorted(path.name for path in FOLDER.iterdir())
PAGE = {"Accept": "text/html"}


@pytest.mark.parametrize("name", FILES)
async def test_each_file_is_served_without_a_key(serve: Serve, name: str) -> None:
    async with serve(api_keys="secret") as client:
        answer = await client.get(f"/playground/{name}")
        assert answer.content == (FOLDER / name).read_bytes()
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
        assert "unsafe" not in policy
        again = await client.get(f"/playground/{name}", headers={"If-None-Match": f'"x", W/{answer.headers["ETag"]}'})
        assert (again.status_code, again.content) == (304, b"")


async def test_browser_gets_the_page(serve: Serve) -> None:
    async with serve() as client:
        page = await client.get("/", headers=PAGE)
        assert page.headers["Vary"] == "Accept"
        assert page.headers["ETag"] == (await client.get("/playground/index.html")).headers["ETag"]
        for target in re.findall(r'(?:src|href)="([^"#]+)"', page.text):
            assert not target.startswith(("/", "http"))
            assert (await client.get(f"/{target}")).status_code == 200
        assert not re.search(r"<script>|<style|style=| on[a-z]+=", page.text)


@pytest.mark.parametrize("name", ["nope.js", "..%2Fapp.py", "%2e%2e/settings.py", "__init__.py"])
async def test_nothing_else_is_served(serve: Serve, name: str) -> None:
    async with serve() as client:
        refused(await client.get(f"/playground/{name}"), 404, "not_found")
