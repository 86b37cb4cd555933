"""A real scheduler and two real Dask workers on loopback, one of which is lost on the way."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from time import perf_counter

import httpx
import numpy as np
import pytest
from PIL import Image

from service.backends import dispatcher_of
from service.dispatch.cluster import Cluster, Unreachable, check
from service.dispatch.errors import DeadlineExceeded, JobFailed, QueueFull, ShuttingDown, WorkerCrashed
from service.dispatch.worker import Perform, perform_with_engine
from service.engine.errors import Fault, InvalidSpec
from service.engine.jobs import Job, Result
from service.engine.jobs.pipeline import perform
from service.engine.machine.limits import Limits
from service.settings import BadSettings, Settings
from tests.dispatch.tasks import obey, order
from tests.live import ROOT, serving
from tests.processes import gone
from tests.waiting import FIRST_START, PATIENCE, until, wait_until

pytestmark = pytest.mark.anyio

SPEC = b'{"op": "blur", "sigma": 1.5}'
SLOW = b'{"op": "deconvolve", "psf": {"name": "gaussian", "sigma": 2}, "method": "richardson_lucy", "iterations": 30}'


@dataclass
class Farm:
    """A scheduler with its workers."""

    address: str
    folder: Path
    processes: dict[str, subprocess.Popen[bytes]]

    def begin(self, name: str, *arguments: str) -> Path:
        """Start one of Dask's commands; gives its log."""
        log = self.folder / f"{name}.log"
        with log.open("wb") as stream:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", "dask", *arguments],
                cwd=self.folder,
                env={**os.environ, "PYTHONPATH": str(ROOT), "DASK_DISTRIBUTED__WORKER__MEMORY__TERMINATE": "false"},
                stdout=stream,
                stderr=stream,
            )
        return log

    def add_worker(self, name: str, *options: str) -> None:
        options = ("--nthreads", "1", "--no-dashboard", "--local-directory", str(self.folder), *options)
        self.begin(name, "worker", self.address, *options)

    def end(self) -> None:
        """End the workers, and then the scheduler, from which they want to take their leave."""
        for process in reversed(self.processes.values()):
            process.terminate()
            try:
                process.wait(PATIENCE)
            finally:
                process.kill()
                process.wait()


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Farm]:
    """Give a scheduler with two workers: one under Dask's nanny, one without."""
    farm = Farm("", tmp_path_factory.mktemp("farm"), {})
    try:
        log = farm.begin("scheduler", "scheduler", "--host", "127.0.0.1", "--port", "0", "--dashboard-address", ":0")
        farm.address = address_in(log)
        farm.add_worker("nanny")
        farm.add_worker("bare", "--no-nanny")
        yield farm
    finally:
        farm.end()


def address_in(log: Path) -> str:
    """Wait for the address that the scheduler writes into its log."""

    def found() -> list[str]:
        return re.findall(r"Scheduler at:\s+(tcp://\S+)", log.read_text("utf-8"))

    wait_until(found)
    return found()[0]


@asynccontextmanager
async def working_cluster(
    farm: Farm, *, queue: int = 16, deadline: float = 60, grace: float = 5, perform: Perform = obey
) -> AsyncIterator[Cluster]:
    """Give a cluster both of whose workers are warm."""
    cluster = Cluster(farm.address, queue, deadline, grace, 256 << 20, perform)
    await cluster.start()
    try:
        await until(lambda: cluster.status().workers == 2, FIRST_START)
        yield cluster
    finally:
        await cluster.stop()


def png(side: int, seed: int = 0) -> bytes:
    stream = BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)).save(stream, "PNG")
    return stream.getvalue()


def job(image: bytes, answer: str = "png") -> Job:
    return Job("filter", image, Limits(), perf_counter(), "image", SPEC, answer="npy" if answer == "npy" else "png")


async def test_result_is_the_local_one_byte_for_byte(farm: Farm) -> None:
    async with working_cluster(farm, perform=perform_with_engine) as cluster:
        for image in (png(40), png(700)):
            for answer in ("png", "npy"):
                there, here = await cluster.run(job(image, answer)), perform(job(image, answer), 1)
                assert bytes(there.body) == bytes(here.body)
                assert (there.media_type, there.origin, there.size) == (here.media_type, here.origin, here.size)
                assert [part.name for part in there.timings] == ["queue", "decode", "step-0", "encode"]


async def test_refusals_are_those_of_the_pool(farm: Farm) -> None:
    async with working_cluster(farm) as cluster:
        with pytest.raises(InvalidSpec, match="stride 0") as refusal:
            await cluster.run(order(b"refuse"))
        assert refusal.value.faults == (Fault("/spec/stride", "stride 0 is below 1"),)
        with pytest.raises(JobFailed) as failure:
            await cluster.run(order(b"stumble"))
        assert "UnsendableError" in failure.value.report
        with pytest.raises(WorkerCrashed):
            await cluster.run(order(b"crash"))
        assert bytes((await cluster.run(order(b"still there"))).body) == b"still there"


async def test_deadline_stops_the_work(farm: Farm, tmp_path: Path) -> None:
    note = tmp_path / "note"
    async with working_cluster(farm, deadline=2) as cluster:
        with pytest.raises(DeadlineExceeded, match="2 s"):
            await asyncio.wait_for(cluster.run(order(b"spin " + str(note).encode())), PATIENCE)
        await until(lambda: gone(int(note.read_text())))


async def test_caller_who_goes_away_stops_the_work(farm: Farm, tmp_path: Path) -> None:
    note = tmp_path / "note"
    async with working_cluster(farm) as cluster:
        task = asyncio.create_task(cluster.run(order(b"spin " + str(note).encode())))
        await until(lambda: note.exists() and note.read_text() != "")
        task.cancel()
        await until(lambda: gone(int(note.read_text())))
        await until(lambda: cluster.status().running == 0)


async def test_full_queue_refuses(farm: Farm, tmp_path: Path) -> None:
    wait = b"wait " + str(tmp_path / "go").encode()
    async with working_cluster(farm, queue=1) as cluster:
        tasks = [asyncio.create_task(cluster.run(order(wait))) for _ in range(4)]
        await until(lambda: cluster.status().queued == 2)
        assert not cluster.status().ready
        with pytest.raises(QueueFull) as refusal:
            await cluster.run(order(b"echo"))
        assert refusal.value.retry_after >= 1
        (tmp_path / "go").touch()
        assert [bytes(result.body) for result in await asyncio.gather(*tasks)] == [b"waited"] * 4


async def test_stopping_gives_up_what_is_not_done_within_the_grace(farm: Farm, tmp_path: Path) -> None:
    note = tmp_path / "note"
    async with working_cluster(farm, grace=0.2) as cluster:
        task = asyncio.create_task(cluster.run(order(b"spin " + str(note).encode())))
        await until(lambda: note.exists() and note.read_text() != "")
        await cluster.stop()
        with pytest.raises(ShuttingDown):
            await task
        with pytest.raises(ShuttingDown):
            await cluster.run(order(b"echo"))
    await until(lambda: gone(int(note.read_text())))


def test_service_answers_from_the_cluster(farm: Farm, tmp_path: Path) -> None:
    image = png(50)
    with serving(tmp_path, scheduler=farm.address) as server:
        answer = httpx.post(
            server.url + "/v1/filter", params={"spec": SPEC.decode()}, content=image, trust_env=False, timeout=PATIENCE
        )
        assert answer.status_code == 200
        assert answer.content == bytes(perform(job(image), 1).body)
        assert httpx.get(server.url + "/metrics", trust_env=False).text.count("\nconvserve_workers 2.0\n") == 1


async def test_worker_lost_under_a_job_costs_a_retry(farm: Farm, tmp_path: Path) -> None:
    """Both workers have a job; those of the one that is killed are done by the other."""
    farm.add_worker("doomed", "--no-nanny", "--nthreads", "2")
    async with working_cluster(farm) as cluster:
        await until(lambda: cluster.status().workers == 4, FIRST_START)
        wait = b"wait " + str(tmp_path / "go").encode()
        tasks = [asyncio.create_task(cluster.run(order(wait))) for _ in range(4)]
        await until(lambda: cluster.status().running == 4)
        farm.processes["doomed"].kill()
        await until(lambda: cluster.status().restarts["lost"] == 1)
        (tmp_path / "go").touch()
        results: list[Result] = await asyncio.gather(*tasks)
        assert [bytes(result.body) for result in results] == [b"waited"] * 4
        assert cluster.status().workers == 2


def test_worker_lost_in_the_middle_does_not_cost_the_batch(farm: Farm, tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    for number in range(24):
        (source / f"{number:02}.png").write_bytes(png(100, number))
    (tmp_path / "spec.json").write_bytes(SLOW)
    command = [sys.executable, "-m", "service", "batch", str(source), str(tmp_path / "out"), "--spec"]
    command += [str(tmp_path / "spec.json"), "--scheduler", farm.address]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as batch:
        wait_until(lambda: batch.poll() is not None or len(list(tmp_path.glob("out/*.png"))) >= 5, FIRST_START)
        farm.processes["bare"].send_signal(signal.SIGKILL)
        output, errors = batch.communicate(timeout=FIRST_START)
    assert batch.returncode == 0, output + errors
    assert output.startswith("24 made, 0 already there, 0 failed")
    assert len(list(tmp_path.glob("out/*.png"))) == 24
    for number in (0, 12, 23):
        local = perform(Job("filter", png(100, number), Limits(), perf_counter(), "image", SLOW), 1)
        assert (tmp_path / f"out/{number:02}.png").read_bytes() == bytes(local.body)


async def test_lost_scheduler_is_no_end(farm: Farm) -> None:
    """The last test of this file: it ends the farm's scheduler."""
    cluster = Cluster(farm.address, 16, 1.5, 5, 256 << 20, obey)
    await cluster.start()
    try:
        await until(lambda: cluster.status().ready, FIRST_START)
        farm.processes["scheduler"].kill()
        await until(lambda: not cluster.status().ready)
        assert cluster.status().reason == "the Dask scheduler does not answer"
        with pytest.raises(DeadlineExceeded):
            await cluster.run(order(b"echo"))
    finally:
        await cluster.stop()


def test_scheduler_that_does_not_answer_is_named() -> None:
    with pytest.raises(Unreachable, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:1 within 0\.1 s"):
        check("tcp://127.0.0.1:1", 0.1)


def test_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    monkeypatch.delitem(sys.modules, "service.dispatch.cluster")
    monkeypatch.delattr("service.dispatch.cluster", raising=False)
    with pytest.raises(BadSettings, match=r"CONVSERVE_SCHEDULER is 'tcp://127\.0\.0\.1:1': Dask is not installed"):
        dispatcher_of(Settings(scheduler="tcp://127.0.0.1:1"))
