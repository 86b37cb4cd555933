"""Cores are counted as the kernel hands them out: affinity, and the quotas of all control groups around."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from service.engine.machine.cores import available_cores

UNIFIED = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"


@pytest.fixture(autouse=True)
def _sixteen_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)), raising=False)


def machine(root: Path, files: Mapping[str, str]) -> Path:
    """Make the files of a machine's /proc and /sys."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="ascii")
    return root


def unified(root: Path, group: str, quotas: Mapping[str, str]) -> Path:
    """Make a machine of version 2, whose process is in `group`."""
    files = {f"sys/fs/cgroup/{folder}/cpu.max": quota for folder, quota in quotas.items()}
    return machine(root, {"proc/self/mountinfo": UNIFIED, "proc/self/cgroup": f"0::{group}\n", **files})


def test_without_control_groups_the_affinity_counts(tmp_path: Path) -> None:
    assert available_cores(tmp_path) == 16


@pytest.mark.parametrize(
    ("quota", "cores"),
    [("50000 100000", 1), ("250000 100000", 3), ("max 100000", 16), ("9900000 100000", 16), ("nonsense", 16)],
)
def test_quota_is_rounded_up(tmp_path: Path, quota: str, cores: int) -> None:
    assert available_cores(unified(tmp_path, "/", {".": quota})) == cores


def test_narrowest_group_around_counts(tmp_path: Path) -> None:
    quotas = {"a": "400000 100000", "a/b": "200000 100000", "a/b/c": "max 100000", "other": "100000 100000"}
    assert available_cores(unified(tmp_path, "/a/b/c", quotas)) == 2


def test_quota_of_version_1_counts(tmp_path: Path) -> None:
    mounts = "33 31 0:30 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
    folder = "sys/fs/cgroup/cpu,cpuacct/jobs"
    files = {
        "proc/self/mountinfo": mounts,
        "proc/self/cgroup": "5:memory:/other\n4:cpu,cpuacct:/jobs\n0::/\n",
        "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
        "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
        f"{folder}/cpu.cfs_quota_us": "150000\n",
        f"{folder}/cpu.cfs_period_us": "100000\n",
    }
    assert available_cores(machine(tmp_path, files)) == 2


def test_container_that_sees_its_hosts_paths_finds_its_own_group(tmp_path: Path) -> None:
    mounts = "33 31 0:30 /docker/abc /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
    files = {
        "proc/self/mountinfo": mounts,
        "proc/self/cgroup": "4:cpu:/docker/abc\n",
        "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "300000\n",
        "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
    }
    assert available_cores(machine(tmp_path, files)) == 3
