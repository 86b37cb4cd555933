"""The server process: start, ready, drain, end; and clients that are slow or speak no HTTP."""

from __future__ import annotations

import asyncio
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import uvicorn
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from service import connection
from service.connection import Connection
from tests.live import serving


async def greet(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the size of the body."""
    body = await Request(scope, receive).body()
    await Response(str(len(body)))(scope, receive, send)


def talk(port: int, data: bytes, patience: float = 5.0) -> bytes:
    """Send bytes, and read until the server closes."""
    with socket.create_connection(("127.0.0.1", port), patience) as client:
        client.sendall(data)
        return b"".join(iter(lambda: client.recv(65536), b""))


def with_connection(check: Callable[[int], Any]) -> Any:
    """Run a check in a thread beside a server of these connections."""

    async def main() -> Any:
        config = uvicorn.Config(greet, port=0, http=Connection, ws="none", lifespan="off", log_config=None)
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.005)
        try:
            return await asyncio.to_thread(check, server.servers[0].sockets[0].getsockname()[1])
        finally:
            server.should_exit = True
            await serving

    return asyncio.run(main())


def test_answers_what_is_no_http_with_a_problem() -> None:
    answer = with_connection(lambda port: talk(port, b"nonsense\r\n\r\n"))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"application/problem+json" in answer
    assert b'"code": "bad_request"' in answer


def test_endless_head_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "HEAD_BYTES", 1000)
    answer = with_connection(lambda port: talk(port, b"GET / HTTP/1.1\r\nA: " + b"a" * 2000))
    assert answer.startswith(b"HTTP/1.1 400 ")


def test_head_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "HEAD_SECONDS", 0.05)
    assert with_connection(lambda port: talk(port, b"")) == b""
    told = with_connection(lambda port: talk(port, b"GET / HT"))
    assert told.startswith(b"HTTP/1.1 408 ")
    assert b'"code": "request_timeout"' in told


def test_body_that_trickles_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "BODY_SECONDS", 0.05)
    monkeypatch.setattr(connection, "TELLING_SECONDS", 0.05)
    request = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nab"
    told = with_connection(lambda port: talk(port, request))
    assert told.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert b'"code": "request_timeout"' in told
    assert b"2 bytes of the body came within 0.05 s; at least 16,384 a second are waited for" in told


def test_body_that_comes_slowly_but_steadily_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "BODY_SECONDS", 0.03)
    monkeypatch.setattr(connection, "BODY_BYTES_PER_SECOND", 10)

    def check(port: int) -> bytes:
        with socket.create_connection(("127.0.0.1", port), 5) as client:
            client.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 10\r\n\r\n")
            for _ in range(10):
                client.sendall(b"x")
                time.sleep(0.01)
            return b"".join(iter(lambda: client.recv(65536), b""))

    answer = with_connection(check)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b"10")


def test_kept_connection_is_used_again() -> None:
    def check(port: int) -> list[str]:
        with httpx.Client(trust_env=False) as client:
            return [client.post(f"http://127.0.0.1:{port}/", content=b"x" * size).text for size in (0, 1, 300_000)]

    assert with_connection(check) == ["0", "1", "300000"]


def test_address_in_use_ends_the_start(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with (
            pytest.raises(AssertionError, match="ended before it was ready"),
            serving(tmp_path, "--port", str(taken.getsockname()[1]), workers=1),
        ):
            pass


def test_signal_ends_the_server_in_good_order(tmp_path: Path) -> None:
    with serving(tmp_path, workers=1) as server:
        answer = httpx.get(f"{server.url}/livez", trust_env=False)
        assert answer.status_code == 200
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(20) == 0
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", urlsplit(server.url).port or 0), 1)
    assert "Traceback" not in server.log.read_text(encoding="utf-8")


def test_second_signal_does_not_wait(tmp_path: Path) -> None:
    with serving(tmp_path, workers=1, grace=100) as server:
        port = urlsplit(server.url).port or 0
        with socket.create_connection(("127.0.0.1", port), 5) as client:
            client.sendall(b"POST /v1/plan HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{")
            for _ in range(2):
                server.process.send_signal(signal.SIGTERM)
                time.sleep(0.05)
            assert server.process.wait(20) == 0
