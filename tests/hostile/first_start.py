"""A first start under load, with no loop compiled: `python -m tests.hostile.first_start`.

Clients send mixed requests from the first second until all loops are in use. Each request must always give the same
samples, or where its numbers are no whole ones, samples one level apart at the most. Ends with figures, and with exit
status 1 if an answer was wrong, refused or lost.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from time import perf_counter
from typing import Any

import httpx
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.hostile.sending import RAW, client
from tests.hostile.soak import Request, right_requests
from tests.live import serving

LONGEST = 900.0
"""Seconds until all must be compiled."""
INEXACT = ("blur", "gradient", "gaussian", "grayscale", "deconvolve")
"""Words of the specs whose sums are not of whole numbers."""


@dataclass
class Seen:
    """What came of it."""

    answers: int = 0
    slowest: float = 0.0
    wrong: list[str] = field(default_factory=list)
    first: dict[str, NDArray[Any]] = field(default_factory=dict)
    ways: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """By operation: the algorithms in the order in which they were first used."""


def note(request: Request, answer: httpx.Response, seen: Seen) -> None:
    """Hold an answer against the first one to the same request."""
    if answer.status_code != 200:
        seen.wrong.append(f"{request.name}: {answer.status_code} {answer.text[:200]}")
        return
    seen.answers += 1
    for description in re.findall(r'desc="([^"]*)"', answer.headers["Server-Timing"]):
        operation, _, way = description.partition(": ")
        if way not in seen.ways[operation]:
            seen.ways[operation].append(way)
    with Image.open(BytesIO(answer.content)) as picture:
        samples = np.asarray(picture).astype(np.int64)
    before = seen.first.setdefault(request.name, samples)
    allowed = any(word in request.spec for word in INEXACT)
    if samples.shape != before.shape or np.abs(samples - before).max() > allowed:
        seen.wrong.append(f"{request.name}: other samples than at first")


async def load(url: str, clients: int) -> tuple[Seen, float]:
    """Send requests until all loops are in use, and each once more; gives what came of it, and when all were in use."""
    seen, began, requests = Seen(), perf_counter(), right_requests()
    compiled = asyncio.Event()

    async def send(http: httpx.AsyncClient, request: Request) -> None:
        start = perf_counter()
        answer = await http.post("/v1/filter", params={"spec": request.spec}, content=request.body, headers=RAW)
        seen.slowest = max(seen.slowest, perf_counter() - start)
        note(request, answer, seen)

    async def work(http: httpx.AsyncClient, own: list[Request]) -> None:
        while not compiled.is_set():
            for request in own:
                await send(http, request)
        for request in own:
            await send(http, request)

    async with client(url, clients) as http, asyncio.timeout(LONGEST), asyncio.TaskGroup() as group:
        for own in range(clients):
            group.create_task(work(http, requests[own::clients]))
        while (await http.get("/readyz")).json()["engine"]["compiled"] < 1:
            await asyncio.sleep(0.5)
        seconds = perf_counter() - began
        compiled.set()
    return seen, seconds


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.hostile.first_start", description=__doc__)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--shell", default="", help="what the server is started with, such as 'renice 19 $$'")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        shell = f"{options.shell}\nexport NUMBA_CACHE_DIR={folder}/loops"
        began = perf_counter()
        with serving(Path(folder), shell=shell) as server:
            ready = perf_counter() - began
            request = right_requests()[0]
            answer = httpx.post(
                f"{server.url}/v1/filter", params={"spec": request.spec}, content=request.body, headers=RAW
            )
            first = perf_counter() - began
            assert answer.status_code == 200, answer.text
            print(f"ready after {ready:.2f} s, first answer after {first:.2f} s", flush=True)
            seen, seconds = asyncio.run(load(server.url, options.clients))
    print(f"all loops in use after {seconds:.0f} s; {seen.answers} answers, the slowest after {seen.slowest:.2f} s")
    for operation, ways in sorted(seen.ways.items()):
        print(f"  {operation:12} {' -> '.join(ways)}")
    for fault in seen.wrong[:20]:
        print(f"WRONG {fault}")
    print(f"wrong: {len(seen.wrong)}")
    sys.exit(bool(seen.wrong))


if __name__ == "__main__":
    main()
