"""The services that whole requests are sent to, ours and the peers', and a client for them."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from tests.benchmarks.peers import Peers
from tests.live import free_port, serving, wait_until_ready

OURS, OPENCV, SHARP = "convserve", "FastAPI + OpenCV", "sharp"
CLIENTS = 8
PEER_WORKERS = 2
BOUNDARY = "an-image-and-what-to-do-with-it"

HERE = Path(__file__).parent


class Service(NamedTuple):
    """One that runs: the URL of its filter, and its first process."""

    url: str
    pid: int


class Target(NamedTuple):
    """Where one request goes, and what it asks for."""

    service: Service
    body: bytes
    accept: str = "image/png"


class Client:
    """One kept connection; forms are made beforehand. `timing` is the Server-Timing of the last answer."""

    timing = ""

    def __init__(self, target: Target) -> None:
        address = urlsplit(target.service.url)
        self._connection = http.client.HTTPConnection(address.hostname or "", address.port)
        self._path = address.path
        self._body = target.body
        self._headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}", "Accept": target.accept}

    def post(self) -> bytes:
        self._connection.request("POST", self._path, self._body, self._headers)
        response = self._connection.getresponse()
        answer = response.read()
        self.timing = response.headers.get("Server-Timing", "")
        if response.status != 200:
            raise RuntimeError(f"{response.status}: {answer[:500]!r}")
        return answer


def form(image: bytes, spec: dict[str, Any]) -> bytes:
    return b"".join(
        [
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="spec"\r\n\r\n'.encode(),
            json.dumps(spec).encode(),
            f'\r\n--{BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="image"\r\n'.encode(),
            b"Content-Type: application/octet-stream\r\n\r\n",
            image,
            f"\r\n--{BOUNDARY}--\r\n".encode(),
        ]
    )


def throughput(target: Target, seconds: float) -> float:
    """Count the requests that all clients get done, per second."""
    clients = [Client(target) for _ in range(CLIENTS)]
    start = time.perf_counter()

    def ask(client: Client) -> int:
        done = 0
        while time.perf_counter() - start < seconds or not done:
            client.post()
            done += 1
        return done

    with ThreadPoolExecutor(CLIENTS) as pool:
        done = sum(pool.map(ask, clients))
    return done / (time.perf_counter() - start)


def processor_time(service: Service) -> float:
    """Sum what a service's processes have taken so far, in seconds; those that have ended are left out."""
    taken, children = dict[int, int](), dict[int, list[int]]()
    for file in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it ends meanwhile
            fields = file.read_text().rpartition(")")[2].split()  # from the third field on (proc_pid_stat(5))
            pid = int(file.parent.name)
            children.setdefault(int(fields[1]), []).append(pid)
            taken[pid] = int(fields[11]) + int(fields[12])
    family = [service.pid]
    for pid in family:
        family += children.get(pid, [])
    return sum(taken.get(pid, 0) for pid in family) / os.sysconf("SC_CLK_TCK")


@contextmanager
def running(folder: Path, found: Peers) -> Iterator[dict[str, Service]]:
    """Run convserve and the peers that there are, by name."""
    with ExitStack() as stack:
        services = {}
        if "cv2" in found:
            uvicorn = [sys.executable, "-m", "uvicorn", "tests.benchmarks.peer_service:app", "--log-level", "warning"]
            command = [*uvicorn, "--workers", str(PEER_WORKERS), "--port"]
            services[OPENCV] = stack.enter_context(_peer(command))
        if has_sharp():
            services[SHARP] = stack.enter_context(_peer(["node", str(HERE / "sharp_service.cjs")]))
        ours = stack.enter_context(serving(folder))
        yield {OURS: Service(f"{ours.url}/v1/filter", ours.process.pid), **services}


@cache
def has_sharp() -> bool:
    """Say whether there is a node that finds sharp: beside the project, or in a folder of NODE_PATH."""
    node = shutil.which("node")
    if node is None:
        return False
    return subprocess.run([node, "-e", "require('sharp')"], cwd=HERE, capture_output=True, check=False).returncode == 0


@contextmanager
def _peer(command: list[str]) -> Iterator[Service]:
    """Run a peer; its command ends with its port."""
    port = free_port()
    process = subprocess.Popen([*command, str(port)], cwd=HERE.parents[1], env=dict(os.environ))
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until_ready(url, process)
        yield Service(f"{url}/filter", process.pid)
    finally:
        process.terminate()
        process.wait()
