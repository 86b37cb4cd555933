"""Whole requests for JPEG and WebP, at equal quality.

A number for the quality means something else to each coder. Ours writes in its default; each peer in the quality whose
PSNR comes nearest to ours, against the exact result, which SciPy computes. A peer that can have colours in full has
them if it then reaches that PSNR with fewer bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image
from scipy import ndimage

from tests.benchmarks.cells import Array
from tests.benchmarks.pictures import encoded, sized
from tests.benchmarks.services import OURS, Client, Service, Target, form

QUALITIES = range(60, 101)
TOLERANCE = 0.5
"""In dB: near 90 a step of a JPEG's quality changes its PSNR by up to 0.8."""
RIM = 16
"""Peers widen the picture as they can."""
KINDS = {"jpeg": "JPEG", "webp": "WebP"}
SHARPEN = [[0, -1, 0], [-1, 5, -1], [0, -1, 0]]
SIGMA = 3


@dataclass(frozen=True)
class Request:
    """One request: how we, how the peers are told, and what the exact result is."""

    name: str
    kind: str
    image: bytes
    ours: dict[str, Any]
    peers: dict[str, Any]
    exact: Array


def requests(picture: Array) -> Iterator[Request]:
    """Make the requests; `picture` is (1200, 1920, 3)."""
    files = {
        "1920x1200 JPEG": encoded(picture, "JPEG"),
        "512x512 PNG": encoded(sized(picture, 512, 512), "PNG"),
        "64x64 PNG": encoded(sized(picture, 64, 64), "PNG"),
    }
    for kind, label in KINDS.items():
        for size, image in files.items():
            yield Request(
                f"sharpen 3x3, {size}, {label} out",
                kind,
                image,
                {"op": "conv", "kernel": SHARPEN, "padding": "same", "padding_mode": "reflect"},
                {"op": "conv", "kernel": SHARPEN},
                exact(image, lambda plane: ndimage.correlate(plane, np.array(SHARPEN), mode="mirror")),
            )
        size, image = next(iter(files.items()))
        yield Request(
            f"Gaussian sigma {SIGMA}, {size}, {label} out",
            kind,
            image,
            {"op": "blur", "sigma": SIGMA},
            {"op": "gaussian", "sigma": SIGMA},
            exact(image, lambda plane: ndimage.gaussian_filter(plane, SIGMA, mode="mirror")),
        )


def exact(image: bytes, work: Callable[[Array], Array]) -> Array:
    """Compute the result in float64, plane by plane."""
    planes = np.asarray(Image.open(BytesIO(image)).convert("RGB")).astype(np.float64).transpose(2, 0, 1)
    return np.clip(np.rint([work(plane) for plane in planes]), 0, 255).transpose(1, 2, 0)


def equal(request: Request, services: Mapping[str, Service]) -> tuple[dict[str, Target], dict[str, str], str]:
    """Give what to send to each, under names that tell PSNR and bytes; who cannot be as good; and what we reach."""
    media_type = f"image/{request.kind}"
    ours = Target(services[OURS], form(request.image, request.ours), media_type)
    data = Client(ours).post()
    goal = psnr(data, request.exact)
    targets, inexact = {OURS: ours}, dict[str, str]()
    for peer, service in services.items():
        if peer == OURS:
            continue
        samplings = (False, True) if request.kind == "jpeg" else (False,)
        ways = [nearest(request, service, goal, full_colour=full) for full in samplings]
        off = [abs(reached - goal) for _, _, reached in ways]
        able = [way for way, distance in zip(ways, off, strict=True) if distance <= TOLERANCE]
        target, size, reached = min(able or ways, key=lambda way: way[1])
        name = f"{peer} ({described(size, reached)})"
        targets[name] = target
        if not able:
            inexact[name] = f"{min(off):.1f} dB"
    return targets, inexact, described(len(data), goal)


def nearest(request: Request, service: Service, goal: float, *, full_colour: bool) -> tuple[Target, int, float]:
    """Find the quality whose PSNR comes nearest to `goal`; PSNR grows with it, but for a ripple."""

    @cache
    def tried(quality: int) -> tuple[Target, int, float]:
        output = {"format": request.kind, "quality": quality, "full_colour": full_colour}
        target = Target(service, form(request.image, {**request.peers, "output": output}))
        data = Client(target).post()
        return target, len(data), psnr(data, request.exact)

    low, high = QUALITIES[0], QUALITIES[-1]
    while high - low > 1:
        middle = (low + high) // 2
        if tried(middle)[2] < goal:
            low = middle
        else:
            high = middle
    return min(tried(low), tried(high), key=lambda way: abs(way[2] - goal))


def psnr(data: bytes, exact_result: Array) -> float:
    """Compare a file with the exact result, in dB, away from the rim."""
    found = np.asarray(Image.open(BytesIO(data)).convert("RGB")).astype(np.float64)
    inner = slice(RIM, -RIM)
    return float(10 * np.log10(255**2 / np.mean((found - exact_result)[inner, inner] ** 2)))


def described(size: int, decibels: float) -> str:
    return f"{decibels:.1f} dB, {size / 1e3:.0f} kB" if size >= 10_000 else f"{decibels:.1f} dB, {size / 1e3:.1f} kB"
