"""Ask whether the planner chooses well: `python -m tests.benchmarks.planning` times every way that it considers.

One thread, processor time, the ways in turns. A choice is good that takes at most a tenth longer than the best way.
"""

from __future__ import annotations

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # read when NumPy is imported
for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
    os.environ.pop(name, None)

from collections.abc import Iterator  # noqa: E402
from time import thread_time  # noqa: E402

import numpy as np  # noqa: E402

from service.engine.algorithms import named  # noqa: E402
from service.engine.algorithms.base import Task  # noqa: E402
from service.engine.jobs import planner  # noqa: E402
from service.engine.machine import compiled  # noqa: E402
from service.engine.steps.geometry import Shape  # noqa: E402
from tests.benchmarks.calibrate import describe, layer, separable, shared  # noqa: E402

CLOSE = 1.1
HOPELESS = 8.0
"""Ways predicted to take so many times as long are not tried."""
ROUNDS, ENOUGH = 5, 0.05
SIZES = ((64, 64), (256, 256), (600, 960))


def tasks() -> Iterator[Task]:
    for height, width in SIZES:
        for channels in (1, 3):
            for side in (3, 5, 9, 15, 21, 25, 31, 45):
                for step in (shared(side, channels), separable(side, channels)):
                    yield Task(step, Shape(height, width, channels), "uint8", "uint8", "float32")
                whole = shared(side, channels, whole=True)
                yield Task(whole, Shape(height, width, channels), "uint8", "uint8", "float32", exact=True)
        for inputs, outputs, side in ((3, 1, 1), (3, 8, 3), (3, 16, 3), (16, 32, 3), (8, 8, 7), (32, 64, 1)):
            yield Task(layer(inputs, outputs, side), Shape(height, width, inputs), "float32", "float32", "float32")


def measured(task: Task) -> dict[str, float]:
    """Give the least seconds of each way worth trying, the chosen one first."""
    choice = planner.choose(task)
    ways = [choice.algorithm, *(way for way, seconds in choice.alternatives if seconds < HOPELESS * choice.seconds)]
    image = np.random.default_rng(0).integers(0, 256, task.shape).astype(task.source)
    least = dict.fromkeys(ways, float("inf"))
    spent = 0.0
    for done in range(100):
        if done > ROUNDS and spent > ENOUGH:
            break
        for way in ways:
            start = thread_time()
            named(way).apply(task, image, 1)
            taken = thread_time() - start
            least[way], spent = min(least[way], taken), spent + taken
    return least


def main() -> None:
    compiled.load()
    good, losses = 0, []
    for task in tasks():
        least = measured(task)
        chosen, best = next(iter(least)), min(least, key=least.__getitem__)
        losses.append(least[chosen] / least[best])
        good += losses[-1] <= CLOSE
        if losses[-1] > CLOSE:
            print(f"{losses[-1]:5.2f} {chosen} for {best}, {least[best] * 1e3:.2f} ms: {describe(task)}", flush=True)
    print(
        f"{good} of {len(losses)} choices are within {CLOSE - 1:.0%} of the best; "
        f"the geometric mean of the loss is {np.exp(np.mean(np.log(losses))):.3f}, the greatest {max(losses):.2f}"
    )


if __name__ == "__main__":
    main()
