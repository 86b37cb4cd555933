from __future__ import annotations

import re

import pytest

from tests.routes.conftest import Serve

pytestmark = pytest.mark.anyio

FRESH = re.compile(r"[0-9a-f]{32}")


@pytest.mark.parametrize("given", ["a", "A-b_9", "x" * 128])
async def test_harmless_id_is_kept(serve: Serve, given: str) -> None:
    async with serve() as client:
        for path in ("/livez", "/nope", "/v1/limits"):
            assert (await client.get(path, headers={"X-Request-ID": given})).headers["X-Request-ID"] == given


@pytest.mark.parametrize("given", ["", "x" * 129, "a b", "a\tb", "a;b", "ü"])
async def test_other_id_is_replaced(serve: Serve, given: str) -> None:
    async with serve() as client:
        answer = await client.get("/nope", headers=[(b"X-Request-ID", given.encode())])
        assert FRESH.fullmatch(answer.headers["X-Request-ID"])


async def test_ids_differ(serve: Serve) -> None:
    async with serve() as client:
        assert len({(await client.get("/livez")).headers["X-Request-ID"] for _ in range(9)}) == 9
