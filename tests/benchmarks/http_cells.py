"""Whole requests over a socket: the latency that one client sees, and how many eight clients get done."""

from __future__ import annotations

import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from PIL import Image

from tests.benchmarks.cells import Array
from tests.benchmarks.peers import Peers
from tests.benchmarks.pictures import encoded, sized
from tests.benchmarks.report import Row
from tests.benchmarks.timing import medians
from tests.live import free_port, serving, wait_until_ready

CLIENTS = 8
ROUNDS = 3
PEER = "FastAPI + OpenCV"
PEER_WORKERS = 2
BOUNDARY = "an-image-and-what-to-do-with-it"
LEVELS = 2
"""So far a peer's pixels may be off for it to have done the same work."""


@dataclass(frozen=True)
class Request:
    """One request to each of the two services."""

    name: str
    image: bytes
    ours: dict[str, Any]
    peers: dict[str, Any]


def requests(picture: Array) -> Iterator[Request]:
    """Make the requests; `picture` is (1200, 1920, 3)."""
    jpeg, gray = encoded(picture, "JPEG"), encoded(picture[:, :, 1:2], "JPEG")
    random = np.random.default_rng(0)
    sharpen = [[0, -1, 0], [-1, 5, -1], [0, -1, 0]]

    def conv(kernel: object) -> dict[str, Any]:
        return {"op": "conv", "kernel": kernel, "padding": "same", "padding_mode": "reflect"}

    def same(name: str, image: bytes, kernel: object) -> Request:
        return Request(name, image, conv(kernel), {"op": "conv", "kernel": kernel})

    yield same("sharpen 3x3, 1920x1200 JPEG", jpeg, sharpen)
    yield Request(
        "Sobel magnitude, gray 1920x1200 JPEG",
        gray,
        {"op": "gradient", "operator": "sobel", "padding_mode": "reflect"},
        {"op": "sobel"},
    )
    yield Request("Gaussian sigma 3, 1920x1200 JPEG", jpeg, {"op": "blur", "sigma": 3}, {"op": "gaussian", "sigma": 3})
    for side in (15, 31):
        kernel = random.uniform(0, 1, (side, side))
        yield same(f"dense {side}x{side}, 1920x1200 JPEG", jpeg, (kernel / kernel.sum()).tolist())
    yield Request(
        "bilinear 2x, 960x600 JPEG",
        encoded(sized(picture, 960, 600), "JPEG"),
        {"op": "upscale", "factor": 2, "method": "bilinear"},
        {"op": "upscale"},
    )
    yield same("sharpen 3x3, 512x512 PNG", encoded(sized(picture, 512, 512), "PNG"), sharpen)
    yield same("sharpen 3x3, 64x64 PNG", encoded(sized(picture, 64, 64), "PNG"), sharpen)
    deep = picture[:, :, 1:2].astype(np.uint16) * 257 + random.integers(0, 99, (*picture.shape[:2], 1), np.uint16)
    yield same("sharpen 3x3, 16-bit gray 1920x1200 PNG", encoded(deep, "PNG"), sharpen)


class Client:
    """One kept connection; forms are made beforehand. `timing` is the Server-Timing of the last answer."""

    timing = ""

    def __init__(self, url: str, path: str) -> None:
        address = urlsplit(url)
        self._connection = http.client.HTTPConnection(address.hostname or "", address.port)
        self._path = path

    def post(self, body: bytes) -> bytes:
        self._connection.request(
            "POST", self._path, body, {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
        )
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


def rows(picture: Array, found: Peers, only: list[str], seconds: float) -> Iterator[Row]:
    with (
        tempfile.TemporaryDirectory() as folder,
        peer(with_opencv="cv2" in found) as theirs,
        serving(Path(folder)) as ours,
    ):
        for request in requests(picture):
            if not only or any(word in f"http: {request.name}" for word in only):
                yield from compared(request, ours.url, theirs, seconds)
                yield dispatch(request, ours.url, seconds)


@contextmanager
def peer(*, with_opencv: bool) -> Iterator[str | None]:
    """Run the peer on a free port."""
    if not with_opencv:
        yield None
        return
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "tests.benchmarks.peer_service:app", "--port", str(port)]
    process = subprocess.Popen(
        [*command, "--workers", str(PEER_WORKERS), "--log-level", "warning"],
        cwd=Path(__file__).parents[2],
        env=dict(os.environ),
    )
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until_ready(url, process)
        yield url
    finally:
        process.terminate()
        process.wait()


def compared(request: Request, ours: str, peers: str | None, seconds: float) -> Iterator[Row]:
    """Give two rows: latency and throughput."""
    targets = {"convserve": (ours, "/v1/filter", form(request.image, request.ours))}
    if peers is not None:
        targets[PEER] = (peers, "/filter", form(request.image, request.peers))
    posts = {name: partial(Client(url, path).post, body) for name, (url, path, body) in targets.items()}
    answers = {name: post() for name, post in posts.items()}
    inexact = difference(answers)
    for post in posts.values():
        for _ in range(2 * PEER_WORKERS):  # until each worker has done one
            post()
    taken = {name: 1e3 * value for name, value in medians(posts, seconds).items()}
    way = f"{len(answers['convserve']) / 1e6:.2f} MB"
    yield Row("http", f"{request.name}, one client", taken.pop("convserve"), taken, inexact, way)
    counts: dict[str, list[float]] = {name: [] for name in targets}
    for _ in range(ROUNDS):
        for name, target in targets.items():
            counts[name].append(throughput(*target, seconds / ROUNDS))
    done = {name: median(each) for name, each in counts.items()}
    yield Row(
        "http", f"{request.name}, {CLIENTS} clients", done.pop("convserve"), done, inexact, unit="/s", higher=True
    )


def dispatch(request: Request, url: str, seconds: float) -> Row:
    """Measure what is left of the total once its parts are taken off: the way to the worker and back."""
    client, body = Client(url, "/v1/filter"), form(request.image, request.ours)
    left: list[float] = []

    def ask() -> None:
        client.post(body)
        *parts, total = map(float, re.findall(r"dur=([0-9.]+)", client.timing))
        left.append(total - sum(parts))

    medians({"convserve": ask}, seconds / ROUNDS)
    return Row("http", f"{request.name}, dispatch", median(left), {})


def throughput(url: str, path: str, body: bytes, seconds: float) -> float:
    """Count the requests that all clients get done, per second."""
    clients = [Client(url, path) for _ in range(CLIENTS)]
    start = time.perf_counter()

    def ask(client: Client) -> int:
        done = 0
        while time.perf_counter() - start < seconds or not done:
            client.post(body)
            done += 1
        return done

    with ThreadPoolExecutor(CLIENTS) as pool:
        done = sum(pool.map(ask, clients))
    return done / (time.perf_counter() - start)


def difference(answers: dict[str, bytes]) -> dict[str, str]:
    """Say by how much a peer's pixels are off, away from the rim, where that is more than rounding explains."""
    pictures = {name: np.asarray(Image.open(BytesIO(data))).astype(np.int64) for name, data in answers.items()}
    ours = pictures.pop("convserve")
    unit = 257 if ours.max() > 255 else 1
    off = {
        name: float(np.abs(ours - theirs)[16:-16, 16:-16].max() / unit) if ours.shape == theirs.shape else np.inf
        for name, theirs in pictures.items()
    }
    return {name: f"{levels:.2g}" for name, levels in off.items() if levels > LEVELS}
