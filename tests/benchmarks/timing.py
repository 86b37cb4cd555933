"""Contenders timed in turns, so that whatever else the machine does strikes all of them alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from statistics import median
from time import perf_counter, sleep
from typing import Any

FEWEST, MOST = 3, 40
PAUSE = 0.005
"""Before each turn, in seconds: the threads of OpenMP go on spinning for a while after their work is done."""


def medians(
    contenders: Mapping[str, Callable[[], Any]], budget: float, clock: Callable[[], float] = perf_counter
) -> dict[str, float]:
    """Give the median seconds of each by `clock`, from as many rounds as fit into `budget` seconds.

    What takes its share of the time ten times over is left alone after the fewest rounds.
    """
    times: dict[str, list[float]] = {name: [] for name in contenders}
    names = tuple(contenders)
    start = perf_counter()
    for done in range(MOST):
        if done >= FEWEST and perf_counter() - start > budget:
            break
        # There and back: whoever comes next finds the image in the cache.
        for name in names[:: -1 if done % 2 else 1]:
            if done >= FEWEST and median(times[name]) > budget / 20:
                continue
            sleep(PAUSE)
            began = clock()
            contenders[name]()
            times[name].append(clock() - began)
    return {name: median(taken) for name, taken in times.items()}
