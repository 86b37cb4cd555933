"""Thousands of mixed requests from many clients while workers and servers are killed: `python -m tests.hostile.soak`.

Right requests must give the bytes that they gave at the beginning, hostile ones their refusal. What a killed server had
under way is counted, and sent again. Ends with a table, and with exit status 1 if an answer was wrong, or lost by
anything else.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np

from service.routes.sample import SAMPLE_PNG
from tests.engine.codecs.samples import npy
from tests.hostile import files, specs
from tests.hostile.case import Verdict
from tests.hostile.probe import Health, measuring
from tests.hostile.sending import IDENTITY, PATIENCE, RAW, client, read, resident_bytes
from tests.hostile.test_load import kill_one
from tests.live import Live, serving
from tests.processes import children, servers_of

LARGEST = 1_000_000
"""Bytes of the hostile files and specs that are sent: the point is their number."""
SECONDS_BETWEEN_KILLS = 2.0
"""At least: nobody is killed before the last one has been replaced. A busy machine would have no worker left."""
KILLS_FOR_A_SERVER = 5
"""So many workers are killed for each server."""
SECONDS_TO_NOTICE = 5.0
"""For a client to see that its connection was cut, which it may do after it has sent a request on it."""
SECONDS_BETWEEN_LOOKS = 5.0
DEADLINE = 300.0
"""Seconds for a job: it may be begun again several times, each time a worker has to start, and the machine is busy."""
PAUSES = 50
"""How often a client comes again that is told to, as the contract asks it to."""


@dataclass(frozen=True)
class Request:
    """One request, and the verdicts that are right."""

    name: str
    body: bytes
    spec: str
    expected: frozenset[Verdict]
    checked: bool = False


@dataclass
class Tally:
    """What came of it all."""

    right: int = 0
    refused: int = 0
    postponed: int = 0
    killed: int = 0
    servers_killed: list[float] = field(default_factory=list)
    cut: int = 0
    unlucky: int = 0
    wrong: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    codes: Counter[str] = field(default_factory=Counter)
    memory: list[tuple[float, int, int]] = field(default_factory=list)

    def was_cut(self) -> bool:
        """Tell whether a server has just been killed."""
        return bool(self.servers_killed) and time.monotonic() <= self.servers_killed[-1] + SECONDS_TO_NOTICE


def right_requests() -> list[Request]:
    """Make requests of every operation and several formats that must be answered, always alike."""
    noise = np.random.default_rng(3).integers(0, 255, (300, 400, 3), np.uint8)
    images = {"npy": npy(noise), "sample": SAMPLE_PNG, **files.sound()}
    documents = [
        {"op": "conv", "kernel": "sharpen", "padding": "same"},
        {"op": "blur", "sigma": 3},
        {"op": "gradient"},
        {"op": "upscale", "factor": 2},
        {"op": "conv", "kernel": {"name": "gaussian", "sigma": 5}, "dilation": 2, "padding": "same"},
        {"op": "pool", "method": "max", "size": 2},
        {"steps": [{"op": "grayscale"}, {"op": "sharpen"}], "output": {"range": "minmax"}},
        {"op": "deconvolve", "psf": {"name": "gaussian", "sigma": 1}},
        {"op": "transposed", "kernel": [[1, 2], [3, 4]], "stride": 2},
    ]
    ok = frozenset({(200, "")})
    return [
        Request(f"{name} {spec}", body, spec, ok, checked=True)
        for name, body in images.items()
        for spec in map(json.dumps, documents)
    ]


def hostile_requests() -> list[Request]:
    """Take the hostile files and specs, but for the largest."""
    bad_files = [
        Request(file.name, file.data, IDENTITY, file.expected) for file in files.hostile() if len(file.data) <= LARGEST
    ]
    bad_specs = [
        Request(spec.name, SAMPLE_PNG, spec.text.decode(), spec.expected)
        for spec in specs.hostile()
        if len(spec.text) <= 10_000 and spec.text.isascii()
    ]
    return bad_files + bad_specs


async def ask(http: httpx.AsyncClient, request: Request, tally: Tally) -> bytes | None:
    """Send until the queue has room; gives the picture, or None where there is none."""
    for _ in range(PAUSES):
        try:
            answer = read(
                await http.post("/v1/filter", params={"spec": request.spec}, content=request.body, headers=RAW)
            )
        except httpx.HTTPError as error:
            if isinstance(error, httpx.TransportError) and tally.was_cut():
                tally.cut += 1
                continue
            tally.lost.append(f"{request.name}: {type(error).__name__}")
            return None
        if answer.status == 429:
            tally.postponed += 1
            await asyncio.sleep(int(answer.headers["Retry-After"]))
            continue
        if answer.verdict == (503, "worker_killed"):  # each time that it was begun
            tally.unlucky += 1
            await asyncio.sleep(int(answer.headers["Retry-After"]))
            continue
        if answer.verdict not in request.expected:
            tally.wrong.append(f"{request.name}: {answer.verdict}, expected {sorted(request.expected)}")
        elif answer.status != 200:
            tally.refused += 1
            tally.codes[answer.code] += 1
        return answer.content if answer.status == 200 else None
    tally.lost.append(f"{request.name}: the queue stayed full")
    return None


async def soak(server: Live, options: argparse.Namespace) -> Tally:
    tally = Tally()
    clients: int = options.clients
    chance = random.Random(options.seed)
    right, hostile = right_requests(), hostile_requests()
    async with client(server.url, clients) as http, client(server.url) as watching:
        http.timeout = DEADLINE + PATIENCE
        first = {request.name: await ask(http, request, tally) for request in right}
        assert all(first.values()), "refused at the very beginning: " + "; ".join(tally.wrong)

        def drawn() -> Iterator[Request]:
            for _ in range(options.count):
                if time.monotonic() - begun > 60 * options.minutes:
                    break
                yield chance.choice(right if chance.random() < 0.5 else hostile)
            all_sent.set()

        all_sent = asyncio.Event()
        begun = time.monotonic()
        waiting = drawn()

        async def work() -> None:
            for request in waiting:
                content = await ask(http, request, tally)
                if content is None:
                    continue
                if request.checked and content != first[request.name]:
                    tally.wrong.append(f"{request.name}: other bytes than at first")
                else:
                    tally.right += 1

        working = asyncio.gather(*(work() for _ in range(clients)))
        looked, kills = float("-inf"), 0
        while not working.done():
            now = time.monotonic() - begun
            if now - looked >= SECONDS_BETWEEN_LOOKS:
                looked = now
                tally.memory.append((now, *memory(server.process.pid)))
            # The last job may be a long one: it would be killed again and again.
            if not all_sent.is_set() and await is_whole(watching, options.workers):
                kills += 1
                if kills % (KILLS_FOR_A_SERVER + 1):
                    tally.killed += kill_one(server.process.pid, chance)
                else:
                    kill_server(server.process.pid, chance, tally)
            await asyncio.wait([working], timeout=SECONDS_BETWEEN_KILLS)
        await working
        tally.memory.append((time.monotonic() - begun, *memory(server.process.pid)))
    return tally


async def is_whole(http: httpx.AsyncClient, workers: int) -> bool:
    """Tell whether all workers are there, of all servers."""
    with suppress(httpx.TransportError):  # of a server that was killed
        return f"\nconvserve_workers {workers:.1f}\n" in (await http.get("/metrics")).text
    return False


def kill_server(parent: int, chance: random.Random, tally: Tally) -> None:
    """Kill one of several servers, if there are; a service that is one process ends by that."""
    servers = servers_of(parent)
    if servers:
        tally.servers_killed.append(time.monotonic())
        with suppress(ProcessLookupError):
            os.kill(chance.choice(servers), signal.SIGKILL)


def memory(pid: int) -> tuple[int, int]:
    """Give the resident bytes of the first process, and those of all processes below it."""
    below = 0
    for child in children(pid):
        try:
            below += resident_bytes(child)
        except OSError:  # it has just been killed
            continue
    return resident_bytes(pid), below


def report(tally: Tally, health: Health, seconds: float) -> str:
    """Write the table."""
    lines = [
        f"answers right     {tally.right:>8,}",
        f"refused by code   {tally.refused:>8,}  {dict(tally.codes.most_common())}",
        f"asked to wait     {tally.postponed:>8,}  (429, and sent again)",
        f"killed each time  {tally.unlucky:>8,}  (503 worker_killed, and sent again)",
        f"wrong             {len(tally.wrong):>8,}",
        f"lost              {len(tally.lost):>8,}",
        f"workers killed    {tally.killed:>8,}",
        f"servers killed    {len(tally.servers_killed):>8,}  ({tally.cut:,} requests were cut, and sent again)",
        f"/livez, slowest   {health.slowest * 1000:>8.1f} ms; 99 in 100 within {health.within(0.99) * 1000:.1f} ms",
        f"seconds           {seconds:>8.1f}",
        "memory (MiB)       seconds   parent   below",
    ]
    lines += [f"{'':<15}{at:>11.0f}{own >> 20:>9,}{below >> 20:>8,}" for at, own, below in tally.memory]
    return "\n".join([*lines, *tally.wrong[:20], *tally.lost[:20]])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20_000, help="requests")
    parser.add_argument("--minutes", type=float, default=math.inf, help="after which no more are sent")
    parser.add_argument("--clients", type=int, default=16, help="at once")
    parser.add_argument("--servers", type=int, default=2, help="1: none is killed")
    parser.add_argument("--workers", type=int, default=2, help="of all servers")
    parser.add_argument("--seed", type=int, default=1, help="of the requests and of who is killed")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(Path(folder), servers=options.servers, workers=options.workers, deadline=DEADLINE) as server,
    ):
        begun = time.monotonic()
        with measuring(server.url, cut=options.servers > 1) as health:
            tally = asyncio.run(soak(server, options))
        print(report(tally, health, time.monotonic() - begun))
    too_many = tally.cut > options.clients * len(tally.servers_killed)  # a client has one request under way
    return 1 if tally.wrong or tally.lost or too_many else 0


if __name__ == "__main__":
    sys.exit(main())
