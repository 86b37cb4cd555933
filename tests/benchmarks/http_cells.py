"""Whole requests over a socket: the latency that one client sees, and how many eight clients get done."""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from PIL import Image

from tests.benchmarks import lossy_cells
from tests.benchmarks.cells import Array
from tests.benchmarks.peers import Peers
from tests.benchmarks.pictures import encoded, sized
from tests.benchmarks.report import Row
from tests.benchmarks.services import (
    CLIENTS,
    OPENCV,
    OURS,
    PEER_WORKERS,
    Client,
    Target,
    form,
    processor_time,
    running,
    throughput,
)
from tests.benchmarks.timing import medians

ROUNDS = 3
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


def rows(picture: Array, found: Peers, only: list[str], seconds: float) -> Iterator[Row]:
    """Measure each request; what is done by one thread each is measured in processor time."""

    def wanted(name: str) -> bool:
        return not only or any(word in f"http: {name}" for word in only)

    measured = worked if found.threads == 1 else compared
    with tempfile.TemporaryDirectory() as folder, running(Path(folder), found) as services:
        for request in requests(picture):
            if wanted(request.name):
                targets = {OURS: Target(services[OURS], form(request.image, request.ours))}
                if OPENCV in services:
                    targets[OPENCV] = Target(services[OPENCV], form(request.image, request.peers))
                answers = {name: Client(target).post() for name, target in targets.items()}
                way = f"{len(answers[OURS]) / 1e6:.2f} MB"
                yield from measured(request.name, targets, seconds, difference(answers), way)
                yield dispatch(request.name, targets[OURS], seconds)
        for lossy in lossy_cells.requests(picture):
            if wanted(lossy.name):
                targets, inexact, way = lossy_cells.equal(lossy, services)
                yield from measured(lossy.name, targets, seconds, inexact, way)


def worked(
    name: str, targets: Mapping[str, Target], seconds: float, inexact: Mapping[str, str], way: str
) -> Iterator[Row]:
    """Give one row: what all processes of a service take for a request."""
    taken: dict[str, list[float]] = {peer: [] for peer in targets}
    clients = {peer: Client(target) for peer, target in targets.items()}
    for _ in range(ROUNDS):
        for peer, target in targets.items():
            clients[peer].post()
            before, start, done = processor_time(target.service), time.perf_counter(), 0
            while time.perf_counter() - start < seconds / ROUNDS or not done:
                clients[peer].post()
                done += 1
            taken[peer].append(1e3 * (processor_time(target.service) - before) / done)
    medium = {peer: median(each) for peer, each in taken.items()}
    yield Row("http", f"{name}, processor time", medium.pop(OURS), medium, inexact, way)


def compared(
    name: str, targets: Mapping[str, Target], seconds: float, inexact: Mapping[str, str], way: str
) -> Iterator[Row]:
    """Give two rows: latency and throughput."""
    posts = {peer: Client(target).post for peer, target in targets.items()}
    for post in posts.values():
        for _ in range(2 * PEER_WORKERS):  # until each worker has done one
            post()
    taken = {peer: 1e3 * value for peer, value in medians(posts, seconds).items()}
    yield Row("http", f"{name}, one client", taken.pop(OURS), taken, inexact, way)
    counts: dict[str, list[float]] = {peer: [] for peer in targets}
    for _ in range(ROUNDS):
        for peer, target in targets.items():
            counts[peer].append(throughput(target, seconds / ROUNDS))
    done = {peer: median(each) for peer, each in counts.items()}
    yield Row("http", f"{name}, {CLIENTS} clients", done.pop(OURS), done, inexact, unit="/s", higher=True)


def dispatch(name: str, target: Target, seconds: float) -> Row:
    """Measure what is left of the total once its parts are taken off: the way to the worker and back."""
    client = Client(target)
    left: list[float] = []

    def ask() -> None:
        client.post()
        *parts, total = map(float, re.findall(r"dur=([0-9.]+)", client.timing))
        left.append(total - sum(parts))

    medians({OURS: ask}, seconds / ROUNDS)
    return Row("http", f"{name}, dispatch", median(left), {})


def difference(answers: dict[str, bytes]) -> dict[str, str]:
    """Say by how much a peer's pixels are off, away from the rim, where that is more than rounding explains."""
    pictures = {name: np.asarray(Image.open(BytesIO(data))).astype(np.int64) for name, data in answers.items()}
    ours = pictures.pop(OURS)
    unit = 257 if ours.max() > 255 else 1
    off = {
        name: float(np.abs(ours - theirs)[16:-16, 16:-16].max() / unit) if ours.shape == theirs.shape else np.inf
        for name, theirs in pictures.items()
    }
    return {name: f"{levels:.2g}" for name, levels in off.items() if levels > LEVELS}
