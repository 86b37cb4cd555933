"""The server process: start, ready, drain, end; and clients that are slow or speak no HTTP."""

from __future__ import annotations

import gc
import signal
import socket
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from service import connection
from tests.connections import Clock, Counted, until_closed, with_connection
from tests.live import serving
from tests.waiting import PATIENCE, wait_until


async def greet(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the size of the body."""
    body = await Request(scope, receive).body()
    await Response(str(len(body)))(scope, receive, send)


def talk(port: int, data: bytes) -> bytes:
    """Send bytes, and read until the server closes."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as client:
        client.sendall(data)
        return b"".join(iter(lambda: client.recv(65536), b""))


def test_answers_what_is_no_http_with_a_problem() -> None:
    answer = with_connection(lambda port, _: talk(port, b"nonsense\r\n\r\n"), greet)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"application/problem+json" in answer
    assert b'"code": "bad_request"' in answer


def test_endless_head_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "HEAD_BYTES", 1000)
    answer = with_connection(lambda port, _: talk(port, b"GET / HTTP/1.1\r\nA: " + b"a" * 2000), greet)
    assert answer.startswith(b"HTTP/1.1 400 ")


def test_connections_and_requests_leave_nothing_to_the_collector() -> None:
    """Nobody is answered while it looks, and among the objects of a thousand requests it looks for long."""

    def living() -> int:
        return sum(type(found) in {connection.Connection, RequestResponseCycle} for found in gc.get_objects())

    def check(port: int, clock: Clock) -> None:
        gc.collect()
        for _ in range(3):
            with socket.create_connection(("127.0.0.1", port), PATIENCE) as client:
                for _ in range(3):
                    client.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab")
                    assert client.recv(15) == b"HTTP/1.1 200 OK"
                    while not client.recv(65536).endswith(b"\r\n\r\n2"):
                        pass
        wait_until(lambda: living() == 0)

    gc.disable()
    try:
        with_connection(check, greet)
    finally:
        gc.enable()


@pytest.mark.parametrize(("head", "status"), [(b"", b""), (b"GET / HT", b"HTTP/1.1 408 Request Timeout")])
def test_head_that_does_not_come_is_not_waited_for(head: bytes, status: bytes) -> None:
    def check(port: int, clock: Clock) -> bytes:
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(head)
            return until_closed(client, clock, connection.HEAD_SECONDS)

    told = with_connection(check, greet)
    assert told.partition(b"\r\n")[0] == status
    assert (b'"code": "request_timeout"' in told) == bool(status)


HEAD = b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
PACE = int(connection.BODY_SECONDS * connection.BODY_BYTES_PER_SECOND)
"""Bytes between two looks at how much has come."""


@pytest.mark.parametrize("size", [0, 2, PACE - 1])
def test_body_that_trickles_is_not_waited_for(size: int) -> None:
    counted = Counted()

    def check(port: int, clock: Clock) -> bytes:
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(HEAD % (2 * PACE) + bytes(size))
            counted.wait_for(size)
            return until_closed(client, clock, connection.BODY_SECONDS)

    told = with_connection(check, counted)
    assert told.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert b'"code": "request_timeout"' in told
    assert b"%s bytes of the body came within 30 s; at least 16,384 a second" % f"{size:,}".encode() in told


def test_body_that_comes_slowly_but_steadily_is_taken() -> None:
    counted = Counted()

    def check(port: int, clock: Clock) -> bytes:
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as client:
            client.sendall(HEAD % (5 * PACE + 1))
            for pieces in range(1, 6):
                client.sendall(bytes(PACE))
                counted.wait_for(pieces * PACE)
                clock.skip(connection.BODY_SECONDS)
            client.sendall(b"x")
            return b"".join(iter(lambda: client.recv(65536), b""))

    answer = with_connection(check, counted)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b"\r\n\r\n%d" % (5 * PACE + 1))


def test_kept_connection_is_used_again() -> None:
    def check(port: int, _: Clock) -> list[str]:
        with httpx.Client(trust_env=False) as client:
            return [client.post(f"http://127.0.0.1:{port}/", content=b"x" * size).text for size in (0, 1, 300_000)]

    assert with_connection(check, greet) == ["0", "1", "300000"]


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


def lets_nobody_in(url: str) -> bool:
    """Say whether a server has seen that it is to end: it refuses work and then, with no job left, connections."""
    try:
        return httpx.get(f"{url}/readyz", trust_env=False).status_code == 503
    except httpx.ConnectError:
        return True


def test_second_signal_does_not_wait(tmp_path: Path) -> None:
    with serving(tmp_path, workers=1, grace=100) as server:
        port = urlsplit(server.url).port or 0
        with socket.create_connection(("127.0.0.1", port), 5) as client:
            head = b"POST /v1/plan HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n"
            client.sendall(head)
            assert client.recv(12) == b"HTTP/1.1 100"  # it waits for the body, and would for long
            server.process.send_signal(signal.SIGTERM)
            wait_until(lambda: lets_nobody_in(server.url))
            server.process.send_signal(signal.SIGTERM)  # a second one that comes before the first is seen is lost
            assert server.process.wait(20) == 0
