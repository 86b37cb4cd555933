"""Real worker processes, and what goes wrong with them."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from service.dispatch.errors import DeadlineExceeded, JobFailed, QueueFull, ShuttingDown, WorkerCrashed, WorkerKilled
from service.dispatch.worker_pool import TRIES, WorkerPool
from service.engine.errors import Fault, InvalidSpec, MemoryLimit
from service.engine.jobs import Result
from service.engine.jobs.timings import Timing
from service.engine.machine.cores import available_cores
from tests.dispatch.conftest import Pools
from tests.dispatch.tasks import obey, order
from tests.processes import gone
from tests.waiting import PATIENCE, until

pytestmark = pytest.mark.anyio


async def ask(pool: WorkerPool, body: bytes) -> bytes:
    return bytes((await pool.run(order(body))).body)


async def spinning(pool: WorkerPool, note: Path) -> tuple[asyncio.Task[Result], int]:
    """Start a job that never ends; gives its task and its worker."""
    task = asyncio.create_task(pool.run(order(b"spin " + str(note).encode())))
    await until(lambda: note.exists() and note.read_text() != "")
    return task, int(note.read_text())


async def test_result_comes_back_whole(pools: Pools) -> None:
    async with pools() as pool:
        result = await pool.run(order(b"echo"))
        assert result == Result(b"echo", "text/plain", (Timing("decode", "", 0.5),), (1, 2), (3, 4))
        assert await ask(pool, b"threads") == str(available_cores()).encode()


async def test_refusal_keeps_its_pointers(pools: Pools) -> None:
    async with pools() as pool:
        with pytest.raises(InvalidSpec, match="stride 0") as refusal:
            await pool.run(order(b"refuse"))
        assert refusal.value.faults == (Fault("/spec/stride", "stride 0 is below 1"),)
        assert pool.status().restarts == {}


async def test_unforeseen_errors_cost_no_worker(pools: Pools) -> None:
    async with pools() as pool:
        before = await ask(pool, b"pid")
        for body, name in ((b"stumble", "UnsendableError"), (b"leave", "SystemExit")):
            with pytest.raises(JobFailed) as failure:
                await pool.run(order(body))
            assert name in failure.value.report
            assert name not in failure.value.detail
        assert await ask(pool, b"pid") == before


@pytest.mark.parametrize("way", [b"exit", b"crash"])
async def test_crash_costs_its_own_request_only(pools: Pools, tmp_path: Path, way: bytes) -> None:
    async with pools(workers=2) as pool:
        other = asyncio.create_task(pool.run(order(b"wait " + str(tmp_path / "go").encode())))
        await until(lambda: pool.status().running == 1)
        with pytest.raises(WorkerCrashed):
            await pool.run(order(way))
        assert await ask(pool, b"echo") == b"echo"
        (tmp_path / "go").touch()
        assert bytes((await other).body) == b"waited"
        assert pool.status().restarts == {"crashed": 1}


async def test_worker_that_died_idle_is_replaced_unnoticed(pools: Pools) -> None:
    async with pools() as pool:
        pid = int(await ask(pool, b"pid"))
        os.kill(pid, signal.SIGKILL)
        await until(lambda: gone(pid))
        assert int(await ask(pool, b"pid")) != pid
        assert pool.status().restarts == {"crashed": 1}


async def test_job_past_its_deadline_is_killed(pools: Pools, tmp_path: Path) -> None:
    async with pools(deadline=1) as pool:
        task, pid = await spinning(pool, tmp_path / "pid")
        with pytest.raises(DeadlineExceeded, match="stopped 1 s after"):
            await asyncio.wait_for(task, PATIENCE)
        await until(lambda: gone(pid))
        assert pool.status().restarts == {"deadline": 1}
        await until(lambda: pool.status().workers == 1)
        assert await ask(pool, b"echo") == b"echo"


async def test_deadline_counts_the_waiting(pools: Pools, tmp_path: Path) -> None:
    async with pools(deadline=1) as pool:
        task, _ = await spinning(pool, tmp_path / "pid")
        late = order(b"echo")
        with pytest.raises(DeadlineExceeded, match="no worker became free"):
            await pool.run(late._replace(received=late.received - 0.9))
        with pytest.raises(DeadlineExceeded):
            await task


async def test_cancelled_job_frees_its_worker(pools: Pools, tmp_path: Path) -> None:
    async with pools() as pool:
        task, pid = await spinning(pool, tmp_path / "pid")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(lambda: gone(pid))
        assert await ask(pool, b"echo") == b"echo"
        assert pool.status().restarts == {"cancelled": 1}


async def test_cancelled_waiting_job_costs_no_worker(pools: Pools, tmp_path: Path) -> None:
    async with pools() as pool:
        first = asyncio.create_task(pool.run(order(b"wait " + str(tmp_path / "go").encode())))
        await until(lambda: pool.status().running == 1)
        second = asyncio.create_task(pool.run(order(b"echo")))
        await until(lambda: pool.status().queued == 1)
        second.cancel()
        await until(lambda: pool.status().queued == 0)
        (tmp_path / "go").touch()
        await first
        assert pool.status().restarts == {}


async def test_full_queue_refuses_and_says_so(pools: Pools, tmp_path: Path) -> None:
    async with pools(queue=1) as pool:
        jobs = [asyncio.create_task(pool.run(order(b"wait " + str(tmp_path / "go").encode()))) for _ in range(2)]
        await until(lambda: pool.status().queued == 1)
        assert pool.status().reason == "the queue is full"
        with pytest.raises(QueueFull):
            await pool.run(order(b"echo"))
        (tmp_path / "go").touch()
        await asyncio.gather(*jobs)
        assert pool.status().ready


async def test_memory_of_a_job_is_bounded(pools: Pools) -> None:
    async with pools() as pool:
        with pytest.raises(MemoryLimit, match="max_memory_bytes"):
            await pool.run(order(b"take 4000000000"))
        assert await ask(pool, b"take 50000000") == b"50000000"
        assert pool.status().restarts == {}


async def test_workers_are_renewed_unnoticed(pools: Pools) -> None:
    async with pools(workers=2, jobs_per_worker=3) as pool:
        pids = await asyncio.gather(*(ask(pool, b"pid") for _ in range(20)))
        assert len(set(pids)) >= 6
        assert set(pool.status().restarts) == {"recycled"}


async def test_stop_lets_accepted_jobs_finish_and_refuses_others(pools: Pools, tmp_path: Path) -> None:
    async with pools() as pool:
        jobs = [asyncio.create_task(pool.run(order(b"wait " + str(tmp_path / "go").encode()))) for _ in range(2)]
        await until(lambda: pool.status().queued == 1)
        stopping = asyncio.create_task(pool.stop())
        await until(lambda: pool.status().reason == "draining")
        with pytest.raises(ShuttingDown):
            await pool.run(order(b"echo"))
        (tmp_path / "go").touch()
        assert [bytes(result.body) for result in await asyncio.gather(*jobs)] == [b"waited"] * 2
        await stopping
        assert pool.status().workers == 0


async def test_grace_has_an_end(pools: Pools, tmp_path: Path) -> None:
    async with pools(grace=0.1) as pool:
        task, pid = await spinning(pool, tmp_path / "pid")
        await pool.stop()
        with pytest.raises(ShuttingDown):
            await task
        assert gone(pid)


async def test_jobs_that_were_accepted_get_new_workers_while_the_pool_drains(pools: Pools, tmp_path: Path) -> None:
    async with pools() as pool:
        pid = int(await ask(pool, b"pid"))
        jobs = [asyncio.create_task(pool.run(order(b"wait " + str(tmp_path / "go").encode()))) for _ in range(2)]
        await until(lambda: pool.status().queued == 1)
        stopping = asyncio.create_task(pool.stop())
        await until(lambda: pool.status().reason == "draining")
        os.kill(pid, signal.SIGKILL)
        (tmp_path / "go").touch()
        assert [bytes(result.body) for result in await asyncio.gather(*jobs)] == [b"waited"] * 2
        await stopping


async def test_draining_ends_though_workers_are_killed_at_its_end(pools: Pools, tmp_path: Path) -> None:
    async with pools(grace=0.2, deadline=1000) as pool:
        task, pid = await spinning(pool, tmp_path / "pid")
        killed = asyncio.create_task(pool.run(order(b"kill")))
        stopping = asyncio.create_task(pool.stop())
        await until(lambda: pool.status().reason == "draining")
        os.kill(pid, signal.SIGKILL)
        await asyncio.wait_for(stopping, PATIENCE)
        outcomes = await asyncio.gather(task, killed, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} <= {ShuttingDown, WorkerKilled}


async def test_job_whose_workers_are_killed_each_time_may_come_again(pools: Pools) -> None:
    async with pools() as pool:
        with pytest.raises(WorkerKilled, match="killed from outside") as refusal:
            await pool.run(order(b"kill"))
        assert refusal.value.retry_after >= 1
        assert pool.status().restarts == {"killed": TRIES}
        assert await ask(pool, b"echo") == b"echo"


async def test_stop_does_not_wait_for_workers_that_are_starting() -> None:
    pool = WorkerPool(2, 1, 60, 1000, 1 << 28, obey)
    await pool.start()
    await asyncio.wait_for(pool.stop(), PATIENCE)
    assert pool.status().workers == 0
    with pytest.raises(ShuttingDown):
        await pool.run(order(b"echo"))


async def test_workers_die_with_the_server(tmp_path: Path) -> None:
    script = (
        "import asyncio, sys\n"
        "from service.dispatch.worker_pool import TRIES, WorkerPool\n"
        "from tests.dispatch.tasks import obey, order\n"
        "async def main():\n"
        "    pool = WorkerPool(1, 1, 60, 5, 1 << 28, obey)\n"
        "    await pool.start()\n"
        "    await pool.run(order(b'spin ' + sys.argv[1].encode()))\n"
        "asyncio.run(main())\n"
    )
    note = tmp_path / "pid"
    root = Path(__file__).parents[2]
    server = await asyncio.create_subprocess_exec(
        str(Path(sys.executable)), "-c", script, str(note), cwd=root, env={**os.environ, "PYTHONPATH": str(root)}
    )
    await until(lambda: note.exists() and note.read_text() != "")
    server.kill()
    await server.wait()
    await until(lambda: gone(int(note.read_text())))


async def test_workers_inherit_the_engine_warm(pools: Pools) -> None:
    async with pools() as pool:
        loaded = (await ask(pool, b"loaded")).split(b",")
    assert {b"service.dispatch.preload", b"service.engine.jobs.pipeline"} <= set(loaded)
