"""Memory is shared out by what there is; what is missing is said in numbers."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from PIL import Image

from service import backends, memory_budget
from service.memory_budget import MIB, Shares, Wishes, available_memory, missing, share_out
from service.routes.sample import SAMPLE_PNG
from service.settings import BadSettings, Settings
from tests.engine.machine.test_cores import UNIFIED, machine
from tests.live import ROOT, serving
from tests.waiting import wait_until

GIB = 1 << 30
RAW = {"Content-Type": "image/png"}
BODY = 32 * MIB
NOTHING_SET = Wishes(None, None, None, BODY)


def small(monkeypatch: pytest.MonkeyPatch, size: int, cores: int = 1, addresses: int | None = None) -> None:
    """Let the settings believe in a machine of that size."""
    monkeypatch.setattr(memory_budget, "available_memory", lambda: size)
    monkeypatch.setattr(memory_budget, "available_addresses", lambda: addresses)
    monkeypatch.setattr("service.settings.available_cores", lambda: cores)


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.upper().startswith("CONVSERVE_"):
            monkeypatch.delenv(name)


def total_memory(root: Path, groups: Mapping[str, str]) -> int:
    bounds = {f"sys/fs/cgroup/{name}/memory.max": bound for name, bound in groups.items()}
    files = {
        "proc/meminfo": "MemTotal:       16384000 kB\nMemFree: 1 kB\n",
        "proc/self/mountinfo": UNIFIED,
        "proc/self/cgroup": "0::/a/b\n",
    }
    return available_memory(machine(root, {**files, **bounds}))


def test_narrowest_control_group_bounds_the_memory(tmp_path: Path) -> None:
    assert total_memory(tmp_path / "1", {}) == 16_384_000 * 1024
    assert total_memory(tmp_path / "2", {"a": "max", "a/b": "max"}) == 16_384_000 * 1024
    assert total_memory(tmp_path / "3", {"a": "536870912", "a/b": "1073741824"}) == 512 * MIB


def test_control_group_of_version_1_bounds_the_memory(tmp_path: Path) -> None:
    files = {
        "proc/meminfo": "MemTotal: 16384000 kB\n",
        "proc/self/mountinfo": "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n",
        "proc/self/cgroup": "4:memory:/jobs\n",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
        "sys/fs/cgroup/memory/jobs/memory.limit_in_bytes": "700000000\n",
    }
    assert available_memory(machine(tmp_path, files)) == 700_000_000


@pytest.mark.parametrize("cores", [1, 2, 8, 64])
@pytest.mark.parametrize("size", [512 * MIB, GIB, 2 * GIB, 4 * GIB, 16 * GIB, 512 * GIB])
def test_shares_fit_into_the_memory(size: int, cores: int) -> None:
    shares = share_out(size, None, cores, NOTHING_SET)
    assert shares.total(BODY) <= size
    assert missing(size, None, cores, shares, BODY) == ""
    assert 1 <= shares.workers <= cores
    assert 64 * MIB <= shares.job <= 4 * GIB
    assert shares.bodies >= 2 * BODY


def test_cores_bound_the_workers_where_memory_does_not() -> None:
    assert share_out(512 * GIB, None, 8, NOTHING_SET) == Shares(8, 4 * GIB, 512 * MIB)


def test_few_workers_with_room_are_better_than_many_without() -> None:
    shares = share_out(4 * GIB, None, 64, NOTHING_SET)
    assert shares.workers < 8
    assert shares.job >= 512 * MIB


@pytest.mark.parametrize(("cores", "servers"), [(1, 1), (7, 1), (8, 1), (16, 2), (24, 3), (64, 8)])
def test_there_is_a_server_for_each_eight_cores(cores: int, servers: int) -> None:
    shares = share_out(512 * GIB, None, cores, NOTHING_SET._replace(servers=None))
    assert (shares.servers, shares.workers) == (servers, cores)


def test_servers_are_fewer_where_memory_is_short_or_workers_are_few() -> None:
    wishes = NOTHING_SET._replace(servers=None)
    one = share_out(4 * GIB, None, 64, NOTHING_SET)
    shares = share_out(4 * GIB, None, 64, wishes)
    assert 1 <= shares.servers < 8
    assert shares.workers >= one.workers - 1
    assert shares.total(BODY) <= 4 * GIB
    assert share_out(512 * GIB, None, 64, wishes._replace(workers=3)).servers == 3


@pytest.mark.parametrize("cores", [2, 64])
def test_servers_that_are_set_have_a_worker_each(cores: int) -> None:
    shares = share_out(GIB, None, cores, NOTHING_SET._replace(servers=4))
    assert (shares.servers, shares.workers) == (4, 4)
    assert "for each server (4)" in missing(GIB, None, cores, shares, BODY)


def test_what_is_set_is_obeyed() -> None:
    assert share_out(GIB, None, 2, Wishes(3, 5 * GIB, 7 * MIB, BODY)) == Shares(3, 5 * GIB, 7 * MIB)
    assert share_out(8 * GIB, None, 16, Wishes(None, GIB, None, BODY)).workers == 6


def test_what_is_missing_is_said_in_numbers() -> None:
    shares = share_out(128 * MIB, None, 1, NOTHING_SET)
    said = missing(128 * MIB, None, 1, shares, BODY)
    assert f"{128 * MIB:,} bytes" in said
    assert f"{shares.total(BODY) - 128 * MIB:,} are missing" in said


def test_bound_on_addresses_bounds_a_job() -> None:
    shares = share_out(64 * GIB, 2 * GIB, 2, NOTHING_SET)
    assert missing(64 * GIB, 2 * GIB, 2, shares, BODY) == ""
    assert shares.job < GIB
    shares = share_out(64 * GIB, GIB // 2, 2, NOTHING_SET)
    assert "ulimit -v" in missing(64 * GIB, GIB // 2, 2, shares, BODY)


def test_settings_follow_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    small(monkeypatch, GIB, cores=4)
    found = Settings.load()
    assert (found.workers, found.max_memory_bytes, found.max_bodies_bytes, found.servers) == share_out(
        GIB, None, 4, NOTHING_SET
    )
    rows = {row.name: row for row in found.rows()}
    assert rows["CONVSERVE_MAX_MEMORY_BYTES"] == ("CONVSERVE_MAX_MEMORY_BYTES", str(found.max_memory_bytes), "default")
    given = Settings.load(workers=4, max_memory_bytes=2 * GIB)
    assert (given.workers, given.max_memory_bytes) == (4, 2 * GIB)


def test_start_with_too_little_memory_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    small(monkeypatch, 200 * MIB)
    with pytest.raises(BadSettings, match=r"there is too little memory: .* are missing"):
        backends.dispatcher_of(Settings.load())
    backends.dispatcher_of(Settings.load(max_memory_bytes=100 * MIB))  # whoever sets it knows


@pytest.fixture
def small_group() -> Iterator[Path]:
    """Make a real control group of 512 MiB, where this process may."""
    legacy = Path("/sys/fs/cgroup/memory")
    group = (legacy if legacy.is_dir() else legacy.parent) / f"convserve-test-{os.getpid()}"
    bound = group / ("memory.limit_in_bytes" if legacy.is_dir() else "memory.max")
    try:
        group.mkdir()
        bound.write_text(str(512 * MIB), encoding="ascii")
    except OSError as error:
        pytest.skip(f"no control group can be made here: {error}")
    try:
        yield group
    finally:
        wait_until(lambda: not (group / "cgroup.procs").read_text(encoding="ascii"))
        group.rmdir()


def test_large_pictures_in_a_small_container_are_answered_or_refused_by_name(tmp_path: Path, small_group: Path) -> None:
    """Four at once of every size: nobody is told that the picture is at fault, and the kernel kills no worker."""
    with serving(tmp_path, shell=f"echo $$ > {small_group}/cgroup.procs", compile="off") as server:
        limits = httpx.get(f"{server.url}/v1/limits", trust_env=False).json()
        assert limits["max_memory_bytes"]["value"] < 512 * MIB

        def sharpened(image: bytes) -> tuple[int, str]:
            spec = {"spec": '{"op": "sharpen"}'}
            answer = httpx.post(
                f"{server.url}/v1/filter", params=spec, content=image, headers=RAW, timeout=100, trust_env=False
            )
            return answer.status_code, "" if answer.status_code == 200 else answer.json()["code"]

        with ThreadPoolExecutor(4) as clients:
            for size in ((640, 480), (1920, 1200), (4000, 3000), (8000, 6000)):
                answers = set(clients.map(sharpened, [plain(*size)] * 4))
                assert answers <= {(200, ""), (422, "memory_limit")}
                assert answers == {(200, "")} or size[0] > 1920
        assert "convserve_worker_restarts_total{" not in httpx.get(f"{server.url}/metrics", trust_env=False).text


def plain(width: int, height: int) -> bytes:
    """Write a picture of one colour, which is small as a file."""
    file = io.BytesIO()
    Image.new("RGB", (width, height), (10, 200, 30)).save(file, "PNG")
    return file.getvalue()


@pytest.mark.skipif(sys.platform != "linux", reason="the bound is Linux's")
def test_hard_bound_on_addresses_is_lived_with(tmp_path: Path) -> None:
    script = f"ulimit -v 2000000; exec {sys.executable} -m service settings"
    shown = subprocess.run(["sh", "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    job = next(line.split()[1] for line in shown.stdout.splitlines() if "MAX_MEMORY" in line)
    assert int(job) < 2_000_000 * 1024
    with serving(tmp_path, workers=1, shell="ulimit -v 2000000") as server:
        spec = {"spec": '{"op": "blur", "sigma": 2}'}
        answer = httpx.post(f"{server.url}/v1/filter", params=spec, content=SAMPLE_PNG, headers=RAW, trust_env=False)
        assert answer.status_code == 200
