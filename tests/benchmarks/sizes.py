"""What `"compression": "small"` gains, and what it costs, beside other writers of PNG.

    python -m tests.benchmarks.sizes [FOLDER] [--most-bytes N]

Of each picture (.jpg, .png) of a folder, without one the shipped photograph: bytes over those of "fast", and seconds of
processor time. The photographs come out of a blur as well, as they would from the service.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator
from functools import partial
from io import BytesIO
from math import exp, log
from pathlib import Path
from statistics import mean
from time import process_time

os.environ["RAYON_NUM_THREADS"] = "1"  # as in a worker; read when oxipng first begins

import numpy as np
from PIL import Image
from scipy import ndimage

from service.engine.codecs import encode_png
from service.engine.machine import compiled
from tests.benchmarks.cells import Array
from tests.benchmarks.codec_cells import length
from tests.benchmarks.peers import Peers
from tests.benchmarks.pictures import photographs

BEST = 9
SIGMA = 1.5


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.sizes", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--most-bytes", type=int, default=8_000_000, help="larger pictures are left out")
    options = parser.parse_args()
    compiled.load()
    found = Peers(1)
    names, ratios, seconds = list[str](), list[list[float]](), list[list[float]]()
    for name, picture in pictures(options.folder):
        if picture.nbytes > options.most_bytes:
            continue
        ways = writers(picture, found)
        if not names:
            names = list(ways)
            print(f"| picture | fast | {' | '.join(names[1:])} |\n|---|--:|{'--:|' * (len(names) - 1)}")
        sizes, taken = zip(*map(measured, ways.values()), strict=True)
        ratios.append([size / sizes[0] for size in sizes])
        seconds.append(list(taken))
        cells = [f"{ratio:.3f} ({spent:.2f} s)" for ratio, spent in zip(ratios[-1], taken, strict=True)]
        label = f"{name} {picture.shape[1]}x{picture.shape[0]}"
        print(f"| {label} | {sizes[0]:,} ({taken[0]:.2f} s) | {' | '.join(cells[1:])} |", flush=True)
    means = [
        f"{exp(mean(map(log, each))):.3f} ({mean(spent):.2f} s)"
        for each, spent in zip(zip(*ratios, strict=True), zip(*seconds, strict=True), strict=True)
    ]
    print(f"| **mean** | {' | '.join(means)} |")


def pictures(folder: Path | None) -> Iterator[tuple[str, Array]]:
    for name, picture in photographs(folder).items():
        yield name, picture
        if folder is None or (folder / f"{name}.jpg").exists():
            blurred = ndimage.gaussian_filter(picture.astype(np.float32), (SIGMA, SIGMA, 0))
            yield f"{name}, blurred", np.rint(blurred).astype(np.uint8)


def writers(picture: Array, found: Peers) -> dict[str, Callable[[], int]]:
    ways: dict[str, Callable[[], int]] = {
        "fast": lambda: len(encode_png(picture)),
        "small": lambda: len(encode_png(picture, compression="small")),
        "Pillow, optimize": partial(pillows, picture),
    }
    if "cv2" in found:
        cv2, turned = found["cv2"], np.ascontiguousarray(picture[:, :, ::-1])
        level = [cv2.IMWRITE_PNG_COMPRESSION, BEST]
        ways[f"OpenCV, level {BEST}"] = lambda: length(cv2.imencode(".png", turned, level))
    return ways


def pillows(picture: Array) -> int:
    file = BytesIO()
    Image.fromarray(picture).save(file, "PNG", optimize=True)
    return file.tell()


def measured(way: Callable[[], int]) -> tuple[int, float]:
    begun = process_time()
    size = way()
    return size, process_time() - begun


main()
