"""Slow clients over real sockets: a steady reader gets all, a cut answer is logged as such, a slow sender is told."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast
from urllib.parse import quote

import httpx
import pytest
import structlog
import uvicorn

from service import connection
from service.app import create_app
from service.connection import Connection
from service.settings import Settings
from tests.hostile.sockets import Wire
from tests.hostile.talk import post
from tests.routes.conftest import InProcess

LARGE = {"steps": [{"op": "upscale", "factor": 8, "method": "nearest"}, {"op": "upscale", "factor": 4}]}
FETCH = post("Accept: application/x-npy", target=f"/v1/filter?spec={quote(json.dumps(LARGE))}")
Check = Callable[[int, list[dict[str, Any]]], None]


@pytest.fixture(params=["asyncio", "uvloop"])
def with_service(request: pytest.FixtureRequest) -> Callable[[Check], None]:
    """Run a check in a thread beside a service of these connections; it is given the port and the lines of the log."""

    def run(check: Check) -> None:
        async def main() -> None:
            app = create_app(Settings.load(allow_origins="https://example.org"), InProcess())
            server = uvicorn.Server(uvicorn.Config(app, port=0, http=Connection, ws="none", log_config=None))
            going = asyncio.create_task(server.serve())
            while not server.started:
                await asyncio.sleep(0.005)
            try:
                await asyncio.to_thread(check, server.servers[0].sockets[0].getsockname()[1], lines)
            finally:
                server.should_exit = True
                await going

        with structlog.testing.capture_logs() as captured:
            lines = cast(list[dict[str, Any]], captured)
            loop = pytest.importorskip("uvloop").new_event_loop if request.param == "uvloop" else None
            with asyncio.Runner(loop_factory=loop) as runner:
                runner.run(main())

    return run


@contextmanager
def connected(port: int) -> Iterator[socket.socket]:
    """Connect with a small buffer, so that the client's system reads little ahead."""
    with socket.socket() as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
        line.settimeout(20)
        line.connect(("127.0.0.1", port))
        yield line


def line_of(lines: list[dict[str, Any]], route: str) -> dict[str, Any]:
    """Wait for the line of a request."""
    for _ in range(1000):
        if found := [line for line in lines if line.get("route") == route]:
            return found[0]
        time.sleep(0.01)
    raise AssertionError(f"{route} is not in the log: {lines}")


def counted(port: int, series: str) -> float:
    text = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text
    found = re.search(rf"^{re.escape(series)} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def test_steady_reader_gets_the_whole_answer(
    with_service: Callable[[Check], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "WRITE_SECONDS", 0.5)
    monkeypatch.setattr(connection, "WRITE_BYTES_PER_SECOND", 200_000)

    def check(port: int, lines: list[dict[str, Any]]) -> None:
        with connected(port) as line:
            line.sendall(FETCH)
            response = Wire(line)
            size = int(response.headers()["Content-Length"])
            received, began = 0, time.monotonic()
            while received < size:
                piece = response.read(65536)
                assert piece, f"cut after {received:,} bytes"
                received += len(piece)
                if received < 1_500_000:  # a megabyte a second, three times as long as a reader may lag behind
                    time.sleep(max(0.0, received / 1_000_000 - (time.monotonic() - began)))
        noted = line_of(lines, "/v1/filter")
        assert (noted["status"], noted["bytes_out"]) == (200, size)
        assert counted(port, 'convserve_bytes_out_total{route="/v1/filter"}') == size

    with_service(check)


def test_answer_that_is_cut_is_not_logged_as_complete(
    with_service: Callable[[Check], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "WRITE_SECONDS", 0.2)

    def check(port: int, lines: list[dict[str, Any]]) -> None:
        with connected(port) as line:
            line.sendall(FETCH)
            noted = line_of(lines, "/v1/filter")
            response = Wire(line)
            size = int(response.headers()["Content-Length"])
            received = len(b"".join(iter(lambda: response.read(1 << 20), b"")))
        assert noted["status"] == 499
        assert noted["bytes_out"] == received < size
        assert counted(port, 'convserve_requests_total{method="POST",route="/v1/filter",status="499"}') == 1

    with_service(check)


def test_answer_to_a_client_that_goes_away_is_not_logged_as_complete(with_service: Callable[[Check], None]) -> None:
    def check(port: int, lines: list[dict[str, Any]]) -> None:
        with connected(port) as line:
            line.sendall(FETCH)
            received = 0
            while received < 100_000:
                received += len(line.recv(65536))
        noted = line_of(lines, "/v1/filter")
        assert noted["status"] == 499
        assert received - 2000 <= noted["bytes_out"] < 20_000_000

    with_service(check)


@pytest.mark.parametrize("target", ["/v1/filters/sobel", "/v1/plan"])
def test_slow_sender_is_told(
    with_service: Callable[[Check], None], monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    monkeypatch.setattr(connection, "BODY_SECONDS", 0.1)

    def check(port: int, lines: list[dict[str, Any]]) -> None:
        with connected(port) as line:
            fields = "Host: a\r\nOrigin: https://example.org\r\nX-Request-ID: slow\r\nContent-Length: 1000000\r\n"
            line.sendall(f"POST {target} HTTP/1.1\r\n{fields}\r\nabc".encode())
            wire = Wire(line)
            told = wire.answer()
            assert told
            verdict, response, content = told
            assert verdict == (408, "request_timeout")
            problem = json.loads(content)
            assert "3 bytes of the body came within 0.1 s" in problem["detail"]
            assert "16,384" in problem["detail"]
            assert response.headers["X-Request-ID"] == problem["request_id"] == "slow"
            assert response.headers["Access-Control-Allow-Origin"] == "https://example.org"
            assert response.headers["Connection"].lower() == "close"
            line.shutdown(socket.SHUT_WR)
            assert wire.closed()
        noted = line_of(lines, target.replace("sobel", "{preset}"))
        assert (noted["status"], noted["code"]) == (408, "request_timeout")
        assert counted(port, 'convserve_refusals_total{code="request_timeout"}') == 1

    with_service(check)
