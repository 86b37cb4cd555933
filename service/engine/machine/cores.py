"""Count the processors that this process may use."""

from __future__ import annotations

import math
import os
from pathlib import Path

from service.engine.machine.cgroups import ROOT, bounds


def available_cores(root: Path = ROOT) -> int:
    """Count the cores in the affinity mask, at most the CPU quota of each enclosing control group, rounded up.

    A container with a quota still sees every core of its host in the affinity mask. `root` stands for `/`.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for words in bounds("cpu", "cpu.max", "cpu.cfs_quota_us cpu.cfs_period_us", root):
        quota, period, *_ = (*" ".join(words).split(), "", "")
        if quota.isdecimal() and period.isdecimal() and int(period):  # "max" and -1 are no quota
            cores = min(cores, math.ceil(int(quota) / int(period)))
    return max(1, cores)
