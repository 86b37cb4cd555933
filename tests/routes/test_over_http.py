"""What only a real server and real sockets show."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
import uvicorn

from service.app import create_app
from service.routes.sample import SAMPLE_PNG
from service.settings import Settings
from tests.routes.conftest import InProcess
from tests.routes.requests import BLUR, HEADERS, refused
from tests.waiting import PATIENCE, until

pytestmark = pytest.mark.anyio

QUERY = {"spec": json.dumps(BLUR)}


@asynccontextmanager
async def listening(dispatcher: InProcess) -> AsyncIterator[tuple[str, int]]:
    """Serve on a free port, with a body limit of 1 MB."""
    app = create_app(Settings.load(max_body_bytes=10**6), dispatcher)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, access_log=False, ws="none", lifespan="on"))
    serving = asyncio.create_task(server.serve())
    await until(lambda: server.started)
    try:
        host, port = server.servers[0].sockets[0].getsockname()[:2]
        yield host, port
    finally:
        server.should_exit = True
        await serving


async def test_client_that_sends_before_it_reads_gets_its_answer(dispatcher: InProcess) -> None:
    async with listening(dispatcher) as (host, port), httpx.AsyncClient(base_url=f"http://{host}:{port}") as client:
        for body in (b"x" * 1_900_000, pieces(29)):
            answer = await client.post("/v1/filter", params=QUERY, content=body, headers=HEADERS)
            refused(answer, 413, "body_too_large")


async def test_unending_body_is_cut_short(dispatcher: InProcess) -> None:
    async with listening(dispatcher) as (host, port):
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(b"POST /v1/plan HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")

        async def send() -> None:
            while True:
                writer.write(b"10000\r\n" + b" " * 65536 + b"\r\n")
                await writer.drain()

        sending = asyncio.create_task(send())
        answer = await asyncio.wait_for(reader.readuntil(b"}"), PATIENCE)
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert b"body_too_large" in answer
        with pytest.raises(ConnectionError):
            await asyncio.wait_for(sending, PATIENCE)
        writer.close()


async def pieces(number: int) -> AsyncIterator[bytes]:
    for _ in range(number):
        yield b"x" * 65536


async def test_announced_body_is_not_asked_for(dispatcher: InProcess) -> None:
    async with listening(dispatcher) as (host, port):
        reader, writer = await asyncio.open_connection(host, port)
        head = (
            "POST /v1/filter?spec=%7B%7D HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: 9999999\r\n"
        )
        writer.write(f"{head}Expect: 100-continue\r\n\r\n".encode())
        answer = await asyncio.wait_for(reader.read(), PATIENCE)
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert b"100 Continue" not in answer
        assert b"body_too_large" in answer
        writer.close()


async def test_closed_connection_frees_its_worker(dispatcher: InProcess) -> None:
    dispatcher.hold = asyncio.Event()
    async with listening(dispatcher) as (host, port):
        _, writer = await asyncio.open_connection(host, port)
        head = "POST /v1/filter?spec=%7B%7D HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n"
        writer.write(f"{head}Content-Length: {len(SAMPLE_PNG)}\r\n\r\n".encode() + SAMPLE_PNG)
        await until(lambda: dispatcher.jobs)
        writer.close()
        await until(lambda: dispatcher.cancelled)


async def test_connection_serves_on_after_a_refusal(dispatcher: InProcess) -> None:
    async with listening(dispatcher) as (host, port), httpx.AsyncClient(base_url=f"http://{host}:{port}") as client:
        refused(
            await client.post("/v1/filter", content=b"x" * 500_000, headers={"Content-Type": "a/b"}),
            415,
            "unsupported_media_type",
        )
        answer = await client.post("/v1/filter", params=QUERY, content=SAMPLE_PNG, headers=HEADERS)
        assert answer.status_code == 200
        head = await client.head("/v1/limits")
        assert (head.status_code, head.content) == (200, b"")
        assert (await client.get("/v1/limits")).status_code == 200


async def test_large_answer_arrives_whole(dispatcher: InProcess) -> None:
    async with listening(dispatcher) as (host, port), httpx.AsyncClient(base_url=f"http://{host}:{port}") as client:
        spec = json.dumps({"op": "conv", "kernel": [[1]], "padding": 300})
        headers = HEADERS | {"Accept": "application/x-npy"}
        answer = await client.post("/v1/filter", params={"spec": spec}, content=SAMPLE_PNG, headers=headers)
        assert len(answer.content) == int(answer.headers["Content-Length"]) > 4_000_000
