"""What a request costs a server and a worker in processor time, and how many cores one server can feed."""

from __future__ import annotations

import multiprocessing
import os
import re
import selectors
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import NamedTuple
from urllib.parse import urlsplit

from service.dispatch.board import Board
from tests.benchmarks.cells import Array
from tests.benchmarks.pictures import encoded, sized
from tests.benchmarks.services import BOUNDARY, form
from tests.live import ROOT, Live, free_port, serving, wait_until_ready
from tests.processes import children, workers_of

SIZES = ((64, 64, "PNG"), (256, 256, "PNG"), (512, 512, "PNG"), (1920, 1200, "JPEG"))
SPEC = {"op": "conv", "kernel": "sharpen", "padding": "same", "padding_mode": "reflect"}
Arrangement = tuple[int, int]
"""So many servers, and workers."""
ARRANGEMENTS: tuple[Arrangement, ...] = ((1, 1), (1, 2), (2, 2))
FORM = f"multipart/form-data; boundary={BOUNDARY}"
CLIENTS = 8
MANY_CLIENTS = 64
"""Enough that each of two servers, too, finds several events in a turn of its event loop, which has a price."""
ROUNDS = 5
MACHINES = (16, 64)
CORES_PER_SERVER = 8
GLANCE_SECONDS = 0.002


class Cost(NamedTuple):
    """Seconds of processor time for a request."""

    server: float
    worker: float

    @property
    def fed(self) -> float:
        """The workers that one server keeps busy."""
        return self.worker / self.server

    def rate(self, cores: int, servers: int) -> float:
        """Extrapolate the requests per second of a machine: servers or cores are used up."""
        return min(servers / self.server, cores / (self.server + self.worker))


def run(picture: Array, seconds: float) -> None:
    """Print two tables, and what FastAPI itself takes.

    `picture` is (1200, 1920, 3), and each figure takes so many seconds.
    """
    with ExitStack() as stack:
        services = {arrangement: stack.enter_context(service(*arrangement)) for arrangement in ARRANGEMENTS}
        print("\n| request | server | worker | workers that one server feeds | extrapolated |")
        print("|---|--:|--:|--:|---|")
        for width, height, kind in SIZES:
            body = form(encoded(sized(picture, width, height), kind), SPEC)
            (cost,) = costs({ARRANGEMENTS[0]: services[ARRANGEMENTS[0]]}, body, seconds).values()
            print(
                f"| {width}x{height} {kind} | {1e3 * cost.server:.2f} ms | {1e3 * cost.worker:.2f} ms | {cost.fed:.1f} "
                f"| {'; '.join(extrapolated(cost))} |",
                flush=True,
            )
        body = form(encoded(sized(picture, *SIZES[0][:2]), SIZES[0][2]), SPEC)
        for clients in (CLIENTS, MANY_CLIENTS):
            print(f"\n| {SIZES[0][0]}x{SIZES[0][1]}, {clients} clients | servers | worker | together |")
            print("|---|--:|--:|--:|")
            for (servers, workers), cost in costs(services, body, seconds, clients).items():
                name = f"{servers} server{'s' * (servers > 1)}, {workers} worker{'s' * (workers > 1)}"
                print(
                    f"| {name} | {1e3 * cost.server:.3f} ms | {1e3 * cost.worker:.3f} ms | {1e3 * sum(cost):.3f} ms |"
                )
        if find_spec("python_multipart"):  # comes with the peers
            # Two workers leave a server no rest, as the echo has none. Whoever sleeps begins again with cold caches.
            ours, theirs = (1e3 * each for each in echo_cost(services[ARRANGEMENTS[1]], body, seconds))
            print(f"\nFastAPI's own echo of this form takes {theirs:.3f} ms, a server {ours:.3f}: {ours / theirs:.2f}.")
        idle = longest_idle(services[2, 2], body, seconds)
        print(f"\nWith 2 servers one had nothing to do while work waited at the other for {1e3 * idle:.0f} ms at most.")


def extrapolated(cost: Cost) -> Iterator[str]:
    for cores in MACHINES:
        servers = cores // CORES_PER_SERVER
        one, default, most = (cost.rate(cores, count) for count in (1, servers, cores))
        yield f"{cores} cores: {one:,.0f}/s with 1 server, {default:,.0f}/s with {servers}, {most:,.0f}/s with enough"


@contextmanager
def service(servers: int, workers: int) -> Iterator[Live]:
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(Path(folder), servers=servers, workers=workers, log_level="info") as live,
    ):
        yield live


def costs(
    services: Mapping[Arrangement, Live], body: bytes, seconds: float, clients: int = CLIENTS
) -> Mapping[Arrangement, Cost]:
    """Measure services in turns; gives the median of several rounds for each."""
    for each in services.values():
        ask(each.url, body, seconds / ROUNDS, clients)  # until plans are kept and heaps have grown
    measured: dict[Arrangement, list[Cost]] = {name: [] for name in services}
    for turn in range(ROUNDS):
        for name in list(services)[:: -1 if turn % 2 else 1]:
            measured[name].append(cost(services[name], body, seconds / ROUNDS, clients))
    return {name: Cost(*map(median, zip(*each, strict=True))) for name, each in measured.items()}


def echo_cost(live: Live, body: bytes, seconds: float) -> tuple[float, float]:
    """Measure in turns what a request costs a server, and a service that gives the picture back: seconds of each."""
    with echo() as echoing:
        for each in (live, echoing):
            ask(each.url, body, seconds / ROUNDS)
        rounds = [(cost(live, body, seconds / ROUNDS), cost(echoing, body, seconds / ROUNDS)) for _ in range(ROUNDS)]
    return median(ours.server for ours, _ in rounds), median(theirs.server for _, theirs in rounds)


@contextmanager
def echo() -> Iterator[Live]:
    """Run the echo on a free port, in one process."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "tests.benchmarks.echo_service:app", "--port", str(port)]
    process = subprocess.Popen([*command, "--log-level", "warning"], cwd=ROOT, text=True)
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until_ready(url, process)
        yield Live(url, process, Path(os.devnull))
    finally:
        process.terminate()
        process.wait()


def cost(live: Live, body: bytes, seconds: float, clients: int = CLIENTS) -> Cost:
    workers, servers = workers_of(live.process.pid), serving_processes(live)
    before = spent(servers), spent(workers)
    done = ask(live.url, body, seconds, clients)
    return Cost((spent(servers) - before[0]) / done, (spent(workers) - before[1]) / done)


def serving_processes(live: Live) -> Sequence[int]:
    """List the processes of a service but its workers: servers, their parent and their fork servers."""
    workers = set(workers_of(live.process.pid))
    return [live.process.pid, *(pid for pid in children(live.process.pid) if pid not in workers)]


def spent(processes: Sequence[int]) -> float:
    """Sum up the seconds of processor time of all threads (nanoseconds: /proc/PID/task/TID/schedstat)."""
    files = (file for pid in processes for file in Path(f"/proc/{pid}/task").glob("*/schedstat"))
    return sum(int(file.read_text(encoding="ascii").split()[0]) for file in files) / 1e9


class Client:
    """A kept connection on which the same request is sent again and again, at little cost: it shares the processors."""

    def __init__(self, url: str, request: bytes) -> None:
        self._address = urlsplit(url)
        self._request = request
        self._open()

    def _open(self) -> None:
        self.socket = socket.create_connection((self._address.hostname or "", self._address.port or 0))
        self._received = bytearray()
        self._size = 0

    def send(self) -> None:
        self.socket.sendall(self._request)

    def receive(self) -> bool:
        """Read what has come; says whether that is the end of an answer. Raises RuntimeError for any but 200."""
        self._received += self.socket.recv(1 << 20)
        if not self._size and (end := self._received.find(b"\r\n\r\n")) >= 0:
            head = bytes(self._received[:end])
            if not head.startswith(b"HTTP/1.1 200 "):
                raise RuntimeError(head.decode("latin-1"))
            length = re.search(rb"(?i)content-length: (\d+)", head)
            self._size = end + 4 + int(length[1] if length else 0)
        if not self._size or len(self._received) < self._size:
            return False
        self._received.clear()
        self._size = 0
        return True


def ask(url: str, body: bytes, seconds: float, clients: int = CLIENTS) -> int:
    """Let so many clients ask over kept connections for so long; gives the number of requests."""
    head = f"POST /v1/filter HTTP/1.1\r\nHost: a\r\nContent-Type: {FORM}\r\nContent-Length: {len(body)}\r\n\r\n"
    done, end = 0, time.perf_counter() + seconds
    with ExitStack() as stack, selectors.DefaultSelector() as selector:
        for _ in range(clients):
            client = Client(url, head.encode() + body)
            stack.callback(client.socket.close)
            selector.register(client.socket, selectors.EVENT_READ, client)
            client.send()
        while selector.get_map():
            for key, _ in selector.select():
                client = key.data
                if client.receive():
                    done += 1
                    if time.perf_counter() < end:
                        client.send()
                    else:
                        selector.unregister(client.socket)
    return done


def longest_idle(live: Live, body: bytes, seconds: float) -> float:
    """Give the longest time that one server had no job while another had more than it has workers."""
    maps = Path(f"/proc/{live.process.pid}/maps").read_text(encoding="utf-8")
    (board,) = set(re.findall(r"/\S*/board$", maps, re.MULTILINE))
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    watching = context.Process(target=watch, args=(board, theirs))
    watching.start()
    ours.recv()
    ask(live.url, body, seconds)
    ours.send(None)
    idle: float = ours.recv()
    watching.join()
    return idle


def watch(board: str, connection: Connection) -> None:
    """Look at a board in a process of its own, until something is sent; then send the longest time back."""
    rows = Board.open(Path(board)).rows
    connection.send(None)
    longest = 0.0
    since: float | None = None
    while not connection.poll():
        jobs, now = [row.jobs for row in rows], time.perf_counter()
        uneven = min(jobs) == 0 and max(jobs) > 1
        since = (since or now) if uneven else None
        longest = max(longest, now - since) if since else longest
        time.sleep(GLANCE_SECONDS)
    connection.send(longest)
