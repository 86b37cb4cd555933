"""How the hostile tests talk to the server: many at once, with /livez measured beside."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from time import perf_counter
from typing import TypeVar

import httpx

from tests.hostile.case import Verdict

CLIENTS = 8
PATIENCE = 60.0
IDENTITY = '{"op":"conv","kernel":[[1]]}'
RAW = {"Content-Type": "application/octet-stream"}
LEAKS = ("Traceback", "site-packages", "/service/", ".py", "0x7f", "PIL", "numpy", "pydantic", "libtiff", "object at")
"""What no answer may hold: paths, tracebacks, memory addresses, words of libraries."""

Case = TypeVar("Case")


@dataclass
class Health:
    """How long /livez took while something else went on."""

    seconds: list[float] = field(default_factory=list)

    @property
    def slowest(self) -> float:
        return max(self.seconds)


@dataclass
class Answer:
    status: int
    code: str
    content: bytes
    headers: httpx.Headers

    @property
    def verdict(self) -> Verdict:
        return self.status, self.code


def client(url: str, connections: int = CLIENTS) -> httpx.AsyncClient:
    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
    return httpx.AsyncClient(base_url=url, timeout=PATIENCE, trust_env=False, limits=limits)


async def send_file(to: httpx.AsyncClient, data: bytes, spec: str = IDENTITY) -> Answer:
    return read(await to.post("/v1/filter", params={"spec": spec}, content=data, headers=RAW))


def read(response: httpx.Response) -> Answer:
    """Check that a refusal has the form that the contract gives it, and that no answer tells of the inside."""
    if response.status_code == 200:
        return Answer(200, "", response.content, response.headers)
    assert response.headers["Content-Type"] == "application/problem+json"
    problem = json.loads(response.content)
    assert problem.keys() - {"errors"} == {"type", "title", "status", "detail", "instance", "code", "request_id"}
    assert problem["status"] == response.status_code
    assert problem["type"].endswith(f"/problems/{problem['code']}")
    assert problem["request_id"] == response.headers["X-Request-ID"]
    assert not [leak for leak in LEAKS if leak in response.text], response.text
    return Answer(response.status_code, problem["code"], response.content, response.headers)


async def all_at_once(
    cases: Iterable[Case], send: Callable[[Case], Awaitable[str | None]], clients: int = CLIENTS
) -> list[str]:
    """Send every case, several at a time; gives what `send` found wrong."""
    waiting = iter(cases)

    async def work() -> list[str]:
        return [wrong for case in waiting if (wrong := await send(case))]

    return list(chain.from_iterable(await asyncio.gather(*(work() for _ in range(clients)))))


async def while_measuring(url: str, work: Awaitable[list[str]]) -> tuple[list[str], Health]:
    """Do the work, and ask /livez all along over a connection of its own."""
    health = Health()
    async with client(url, 1) as probe:
        working = asyncio.ensure_future(work)
        while not working.done():
            start = perf_counter()
            answer = await probe.get("/livez")
            health.seconds.append(perf_counter() - start)
            assert answer.status_code == 200
            await asyncio.wait([working], timeout=0.02)
        return working.result(), health


def resident_bytes(pid: int) -> int:
    """Give a process's own memory, (proc(5), status)."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0


def open_files(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def log_from(log: Path, begin: int) -> str:
    """Give what was logged after the first so many bytes."""
    return log.read_bytes()[begin:].decode()
