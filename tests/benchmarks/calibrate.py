"""Measure the rates of this processor level and write them to service/engine/algorithms/rates.json: `make calibrate`.

What moves samples is timed by itself; then every algorithm is timed on tasks of its own, on one thread. A prediction
is linear in the rates, so that the amounts of work are found by asking again with one rate changed. The rates are then
fitted to all times at once, such that the sum of the squares of the relative errors is least, none is negative, and a
rate of which no task tells much stays near what it was. Times are those of the thread: other programs disturb little.
"""

from __future__ import annotations

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # read when NumPy is imported

import datetime
import json
import platform
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import process_time, thread_time
from typing import NamedTuple

import numpy as np
from scipy.optimize import nnls

from service.engine import codecs
from service.engine.algorithms import rates, usable
from service.engine.algorithms.base import Algorithm, Sample, Task
from service.engine.algorithms.rates import TABLE, Rates
from service.engine.jobs.formats import FORMATS
from service.engine.loops.rows import BEYOND, widen
from service.engine.machine import compiled
from service.engine.machine.limits import Limits
from service.engine.steps import Conv2d, ConvTranspose2d, GradientMagnitude, Pool, Restore, Step
from service.engine.steps.geometry import Padding, Shape
from service.engine.steps.precision import Arithmetic
from tests.benchmarks import LEVEL
from tests.benchmarks.pictures import photographs

FORMER = rates.rates()
BUDGET = 0.15
"""Seconds for one task, once it is warm."""
LOYALTY = 0.1
"""How much the former value of a rate counts, against one measured task."""

CHANGE = 1e-6
"""A rate is changed by this part of it, to see how much depends on it."""

FIRMLY = 1000.0
"""The same for what is known."""

SMALL, MIDDLE, LARGE = (24, 32), (240, 320), (1200, 1920)


class Measured(NamedTuple):
    algorithm: Algorithm
    task: Task
    seconds: float


def shared(side: int, channels: int = 3, *, whole: bool = False) -> Conv2d:
    random, half = np.random.default_rng(side), side // 2
    kernel = random.integers(1, 4, (side, side)).astype(np.float64) if whole else random.uniform(0, 1, (side, side))
    padding = Padding(half, half, half, half)
    return Conv2d(kernel[None, None], channels, padding=padding, padding_mode="reflect", divisor=kernel.sum())


def separable(side: int, channels: int = 3, *, whole: bool = False) -> Conv2d:
    half, factor = side // 2, np.random.default_rng(side).uniform(0, 1, side)
    factor += factor[::-1]
    if whole:
        factor = np.ones(side)
    weight = np.multiply.outer(factor, factor)[None, None]
    padding = Padding(half, half, half, half)
    return Conv2d(weight, channels, padding=padding, padding_mode="reflect", factors=(factor, factor))


def sobel(channels: int = 3) -> GradientMagnitude:
    smooth, slope, padding = np.array([1.0, 2.0, 1.0]), np.array([-1.0, 0.0, 1.0]), Padding(1, 1, 1, 1)
    across, down = (
        Conv2d(np.multiply.outer(*pair)[None, None], channels, padding=padding, factors=pair)
        for pair in ((smooth, slope), (slope, smooth))
    )
    return GradientMagnitude(across, down)


def layer(inputs: int, outputs: int, side: int) -> Conv2d:
    half = side // 2
    weight = np.random.default_rng(side).normal(size=(outputs, inputs, side, side))
    return Conv2d(weight, padding=Padding(half, half, half, half))


def reducing(factor: int, side: int, *, whole: bool = False) -> Conv2d:
    return replace(separable(side, whole=whole), stride=(factor, factor))


def upscaling(stride: int, side: int, *, rank_one: bool = False) -> ConvTranspose2d:
    kernel = np.random.default_rng(side).uniform(0, 1, (side, side))
    if rank_one:
        kernel = np.multiply.outer(kernel[0], kernel[1])
    return ConvTranspose2d(kernel[None, None], 3, stride=(stride, stride))


def tasks() -> Iterator[Task]:
    pictures: list[Step] = [
        *(shared(side) for side in (3, 5, 9, 15, 21, 31, 63)),
        *(separable(side) for side in (3, 5, 9, 31)),
        sobel(),
        upscaling(2, 4),
        upscaling(3, 3),
        upscaling(2, 4, rank_one=True),
        upscaling(2, 8, rank_one=True),
        reducing(2, 4),
        reducing(4, 24),
        Pool(3, "max", (3, 3), (1, 1)),
        Pool(3, "max", (2, 2), (2, 2)),
        Pool(3, "average", (3, 3), (1, 1)),
        Pool(3, "average", (4, 4), (4, 4)),
        Restore(3, np.ones((5, 5)), "wiener"),
    ]
    kinds: list[tuple[Sample, Sample, Arithmetic]] = [
        ("uint8", "uint8", "float32"),
        ("float32", "float32", "float32"),
        ("float64", "float64", "float64"),
    ]
    for source, target, arithmetic in kinds:
        for step in pictures:
            for size in (SMALL, MIDDLE, LARGE) if source == "uint8" else (SMALL, MIDDLE):
                yield Task(step, Shape(*size, 3), source, target, arithmetic)
        for inputs, outputs, side in (
            (3, 16, 3), (16, 32, 3), (64, 64, 3), (3, 1, 1), (3, 3, 1), (32, 64, 1), (4, 4, 7), (64, 20, 3),
        ):  # fmt: skip
            for size in (SMALL, MIDDLE):
                yield Task(layer(inputs, outputs, side), Shape(*size, inputs), source, target, arithmetic)
        yield Task(layer(256, 256, 3), Shape(*SMALL, 256), source, target, arithmetic)
        for outputs in (1, 3):
            yield Task(layer(3, outputs, 1), Shape(*LARGE, 3), source, target, arithmetic)
    for side in (3, 5, 9, 15, 31):
        for size in (SMALL, MIDDLE, LARGE):
            yield Task(shared(side, whole=True), Shape(*size, 3), "uint8", "uint8", "float32", exact=True)
    for side in (3, 5, 9, 31):
        for size in (SMALL, MIDDLE, LARGE):
            yield Task(separable(side, whole=True), Shape(*size, 3), "uint8", "uint8", "float32", exact=True)
    doubling = ConvTranspose2d(np.multiply.outer(*[np.array([1.0, 3.0, 3.0, 1.0])] * 2)[None, None], 3, stride=(2, 2))
    for step in (doubling, reducing(2, 2, whole=True), reducing(4, 4, whole=True)):
        for size in (SMALL, MIDDLE, LARGE):
            yield Task(step, Shape(*size, 3), "uint8", "uint8", "float32", exact=True)


def measure(algorithm: Algorithm, task: Task) -> Measured:
    """Time a task for which all is ready that can be kept with it, as for a repeated spec."""
    random = np.random.default_rng(0)
    image = random.integers(0, 256, task.shape).astype(task.source)
    return Measured(algorithm, task, least(lambda: algorithm.apply(task, image, 1)))


def predicted(algorithm: Algorithm, task: Task, assumed: Rates) -> float:
    """Ask for the prediction under other rates."""
    with rates.given(assumed):
        return algorithm.seconds(task)


def amounts(measured: Measured) -> list[float]:
    """Find how many units of each rate the task is predicted to take; the change is too small for other tiles."""
    algorithm, task, _ = measured
    base = algorithm.seconds(task)
    return [
        (predicted(algorithm, task, FORMER.changed(**{name: (1 + CHANGE) * value})) - base) / (CHANGE * value)
        for name in rates.names()
        for value in [FORMER.of(name)]
    ]


def least(work: Callable[[], object], budget: float = BUDGET, clock: Callable[[], float] = thread_time) -> float:
    """Return the second shortest time that `work` takes, once it is warm.

    The shortest may be wrong, even 0: on a virtual machine the clock of a thread leaps now and then.
    """
    work()
    times: list[float] = []
    while len(times) < 2 or sum(times) < budget:
        start = clock()
        work()
        times.append(clock() - start)
    return sorted(times)[1]


def moving() -> dict[str, float]:
    """Time what brings samples to and fro: in the times of whole tasks it is hidden behind the sums."""
    return {"widen_sample": widening(), **coding()}


def coding() -> dict[str, float]:
    """Time the codecs on the photograph of the documentation."""
    image = next(iter(photographs(None).values()))
    data = codecs.encode_png(image)
    info = codecs.inspect(data, Limits())
    writers = {kind: partial(codecs.encode, kind, image) for kind in FORMATS}  # libavif has threads of its own
    return {
        "png_read_byte": least(lambda: codecs.decode(data, info)) / image.nbytes,
        **{f"{kind}_write_byte": least(write, clock=process_time) / image.nbytes for kind, write in writers.items()},
    }


def widening() -> float:
    """Time the widening of one sample of a strip."""
    image, wide = np.zeros(64 * 5760, np.uint8), np.zeros(64 * 5760 + BEYOND, np.float32)
    image.flags.writeable = False
    return least(lambda: widen(0, image, 0, wide, 0, image.size)) / image.size


def fit(measurements: list[Measured], known: dict[str, float]) -> Rates:
    """Solve amounts @ rates = seconds in the least squares of the relative errors, with the rates `known`."""
    former = np.array([known.get(name, FORMER.of(name)) for name in rates.names()])
    work = np.array([amounts(measured) for measured in measurements])
    seconds = np.array([measured.seconds for measured in measurements])
    loyalty = np.diag([FIRMLY if name in known else LOYALTY for name in rates.names()])
    matrix = np.vstack([work * former / seconds[:, None], loyalty])
    solution, _ = nnls(matrix, np.concatenate([np.ones(len(seconds)), loyalty.sum(axis=1)]))
    fitted = dict(zip(rates.names(), solution * former, strict=True))
    # A rate of nothing could never be fitted again.
    return FORMER.changed(**{name: max(value, FORMER.of(name) / 100) for name, value in fitted.items()})


def write(fitted: Rates) -> None:
    """Put the rates into the table, for the level that was measured."""
    table = json.loads(TABLE.read_text())
    values = {name: float(f"{fitted.of(name):.2e}") for name in rates.names()}
    today = str(datetime.datetime.now(datetime.UTC).date())
    table[LEVEL] = {"machine": machine(), "date": today, "rates": values}
    TABLE.write_text(json.dumps(dict(sorted(table.items(), reverse=True)), indent=2) + "\n")


def machine() -> str:
    try:
        information = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or platform.machine()
    model = re.search(r"model name\s*:\s*(.+)", information)
    vectors = "AVX-512" if "avx512f" in information else "AVX2" if "avx2" in information else "no AVX2"
    return f"{model[1] if model else platform.machine()}, {vectors}"


def describe(task: Task) -> str:
    step = task.step
    weight = "x".join(map(str, step.weight.shape)) if isinstance(step, Conv2d | ConvTranspose2d) else ""
    numbers = f"{task.source} in {task.arithmetic}{' exact' if task.exact else ''}"
    return f"{type(step).__name__} {weight} on {'x'.join(map(str, task.shape))} {numbers}"


def main(only: list[str]) -> None:
    """Measure, fit and write; with names of algorithms, measure these and leave all other rates as they are."""
    compiled.load()
    measurements = [
        measure(algorithm, task)
        for task in tasks()
        for algorithm in usable()
        if (not only or algorithm.name in only) and algorithm.accepts(task) and algorithm.seconds(task) < 3
    ]
    fitted = fit(measurements, moving())
    for algorithm, task, seconds in measurements:
        ratio = predicted(algorithm, task, fitted) / seconds
        print(f"{algorithm.name:12} {seconds * 1e3:9.3f} ms, predicted {ratio:5.2f} of it: {describe(task)}")
    write(fitted)


if __name__ == "__main__":
    main(sys.argv[1:])
