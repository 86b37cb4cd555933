"""The queue by itself: its workers are numbers."""

from __future__ import annotations

import asyncio
import math

import pytest

from service.dispatch.admission import LIGHT_BYTES, Admission
from service.dispatch.errors import DeadlineExceeded, QueueFull, ShuttingDown
from service.dispatch.estimates import Took
from service.engine.jobs import Job
from service.engine.machine.limits import Limits

pytestmark = pytest.mark.anyio
LIGHT = Job("filter", b"1", Limits(), 0.0)
HEAVY = Job("filter", bytes(LIGHT_BYTES), Limits(), 0.0)


def admission(workers: int = 1, capacity: int = 10, cores: int = 8, max_wait: float = math.inf) -> Admission[int]:
    queue: Admission[int] = Admission(workers, capacity, cores, max_wait=max_wait)
    for worker in range(workers):
        queue.offer(worker)
    return queue


async def waiting(queue: Admission[int], *jobs: Job) -> list[asyncio.Task[int]]:
    tasks = [asyncio.create_task(queue.enter(job, 5)) for job in jobs]
    await asyncio.sleep(0)
    return tasks


async def test_idle_worker_is_had_at_once() -> None:
    queue = admission(workers=2)
    assert {await queue.enter(LIGHT, 5), await queue.enter(LIGHT, 5)} == {0, 1}
    assert (queue.running, queue.waiting) == (2, 0)


async def test_full_queue_refuses_at_once() -> None:
    queue = admission(capacity=2)
    await queue.enter(LIGHT, 5)
    tasks = await waiting(queue, LIGHT, LIGHT)
    with pytest.raises(QueueFull, match="2 jobs are waiting, of at most 2") as refusal:
        await queue.enter(LIGHT, 5)
    assert refusal.value.retry_after >= 1
    queue.close(ShuttingDown("over", 1))
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_queue_of_none_refuses_whoever_would_wait() -> None:
    queue = admission(capacity=0)
    assert not queue.full
    await queue.enter(LIGHT, 5)
    assert queue.full
    with pytest.raises(QueueFull):
        await queue.enter(LIGHT, 5)


async def test_nobody_enters_what_is_closed() -> None:
    queue = admission()
    await queue.enter(LIGHT, 5)
    (waiter,) = await waiting(queue, LIGHT)
    queue.close(ShuttingDown("over", 1))
    with pytest.raises(ShuttingDown):
        await waiter
    with pytest.raises(ShuttingDown):
        await queue.enter(LIGHT, 5)


async def test_worker_that_is_away_for_a_moment_refuses_nobody() -> None:
    queue = admission(capacity=0)
    assert queue.take(lambda worker: worker == 1) is None
    assert queue.take(lambda worker: worker == 0) == 0
    queue.away += 1
    (waiter,) = await waiting(queue, LIGHT)
    queue.away -= 1
    queue.offer(0)
    assert await waiter == 0


async def test_waiting_ends_with_the_deadline() -> None:
    queue = admission()
    await queue.enter(LIGHT, 5)
    with pytest.raises(DeadlineExceeded, match=r"0\.02 s"):
        await queue.enter(LIGHT, 0.02)
    assert queue.waiting == 0


async def test_passed_deadline_is_not_begun() -> None:
    with pytest.raises(DeadlineExceeded):
        await admission().enter(LIGHT, 0)


async def test_first_come_is_first_served() -> None:
    queue = admission(workers=1)
    worker = await queue.enter(LIGHT, 5)
    tasks = await waiting(queue, LIGHT, LIGHT, LIGHT)
    for task in tasks:
        queue.leave(LIGHT, Took(0.1, 0.1))
        queue.offer(worker)
        assert await task == worker


async def test_light_jobs_pass_heavy_ones_that_still_have_their_turn() -> None:
    queue = admission()
    worker = await queue.enter(LIGHT, 5)
    order: list[str] = []

    async def enter(name: str, job: Job) -> None:
        await queue.enter(job, 5)
        order.append(name)
        queue.leave(LIGHT, Took(0.1, 0.1))
        queue.offer(worker)

    heavy = [asyncio.create_task(enter("heavy", HEAVY)) for _ in range(3)]
    await asyncio.sleep(0)
    light = [asyncio.create_task(enter("light", LIGHT)) for _ in range(6)]
    await asyncio.sleep(0)
    queue.leave(LIGHT, Took(0.1, 0.1))
    queue.offer(worker)
    await asyncio.gather(*heavy, *light)
    assert order == ["light"] * 3 + ["heavy"] + ["light"] * 3 + ["heavy"] * 2


async def test_cancelled_waiter_gives_up_its_place() -> None:
    queue = admission()
    worker = await queue.enter(LIGHT, 5)
    first, second = await waiting(queue, LIGHT, LIGHT)
    first.cancel()
    await asyncio.sleep(0)
    assert queue.waiting == 1
    queue.leave(LIGHT, Took(0.1, 0.1))
    queue.offer(worker)
    assert await second == worker


async def test_worker_handed_to_a_cancelled_waiter_goes_to_the_next() -> None:
    queue = admission()
    worker = await queue.enter(LIGHT, 5)
    first, second = await waiting(queue, LIGHT, LIGHT)
    queue.leave(LIGHT, Took(0.1, 0.1))
    queue.offer(worker)
    first.cancel()
    assert await second == worker
    assert queue.running == 1


async def test_cores_are_shared_out() -> None:
    queue = admission(workers=4, cores=8)
    await queue.enter(LIGHT, 5)
    assert queue.threads() == 8
    await queue.enter(LIGHT, 5)
    assert queue.threads() == 4
    for _ in range(2):
        await queue.enter(LIGHT, 5)
    tasks = await waiting(queue, *[LIGHT] * 8)
    assert queue.threads() == 1
    queue.close(ShuttingDown("over", 1))
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_retry_after_follows_what_jobs_take() -> None:
    queue = admission(capacity=0)
    for _ in range(50):
        await queue.enter(LIGHT, 5)
        queue.leave(LIGHT, Took(8, 8))
        queue.offer(0)
    await queue.enter(LIGHT, 5)
    refusal = queue.refusal(1)
    assert refusal
    assert 7 <= refusal.retry_after <= 8


async def learnt(queue: Admission[int], job: Job, seconds: float) -> None:
    """Let the queue see many such jobs done."""
    for _ in range(50):
        worker = await queue.enter(job, 5)
        queue.leave(job, Took(seconds, seconds))
        queue.offer(worker)


async def test_work_that_waits_is_bounded_by_time() -> None:
    queue = admission(workers=2, capacity=1000, max_wait=5)
    await learnt(queue, LIGHT, 0.1)
    tasks = await waiting(queue, *[LIGHT] * (2 + 101))
    assert queue.waiting == 101
    assert queue.expected_wait == pytest.approx(5.05, rel=1e-3)
    assert queue.full
    with pytest.raises(QueueFull, match=r"would wait 5\.05 s now, and the most is 5 s \(max_wait\)") as refusal:
        await queue.enter(LIGHT, 5)
    assert refusal.value.retry_after == 1
    queue.close(ShuttingDown("over", 1))
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_thousand_small_jobs_may_wait_before_anything_is_known() -> None:
    queue = admission(workers=2, capacity=2048, max_wait=5)
    small = LIGHT._replace(body=bytes(8000))
    tasks = await waiting(queue, *[small] * 1000)
    assert queue.refusal(8000) is None
    queue.close(ShuttingDown("over", 1))
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_few_large_jobs_may_wait_before_anything_is_known() -> None:
    """No more than a queue of sixteen for each worker let wait, and their refusals leave the light lane open."""
    queue = admission(workers=2, capacity=2048, max_wait=5)
    large = HEAVY._replace(body=bytes(4_000_000))
    tasks = await waiting(queue, *[large] * 40)
    refused = [task for task in tasks if task.done() and isinstance(task.exception(), QueueFull)]
    assert queue.waiting <= 32
    assert len(refused) == 40 - 2 - queue.waiting
    assert queue.refusal(4_000_000) is not None  # before its body is read
    assert queue.refusal(8000) is None
    for task in refused:
        assert isinstance(error := task.exception(), QueueFull)
        assert error.retry_after >= 1
    queue.close(ShuttingDown("over", 1))
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_those_who_wait_are_estimated_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.dispatch.admission.RECKONED_APART", 0)
    queue = admission(capacity=1000, max_wait=5)
    tasks = await waiting(queue, *[LIGHT] * 101)
    assert queue.refusal(1) is None
    for _ in range(50):
        queue.running += 1
        queue.leave(LIGHT, Took(0.2, 0.2))
    assert queue.expected_wait == pytest.approx(20, rel=1e-3)
    assert (refusal := queue.refusal(1))
    assert refusal.retry_after == 15
    queue.close(ShuttingDown("over", 1))
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_light_job_is_not_refused_for_heavy_ones_that_wait() -> None:
    queue = admission(capacity=1000, max_wait=5)
    await learnt(queue, HEAVY, 2.0)
    tasks = await waiting(queue, *[HEAVY] * 4)
    assert queue.refusal(LIGHT_BYTES) is not None
    assert queue.refusal(1) is None  # one of them may come before it
    queue.close(ShuttingDown("over", 1))
    await asyncio.gather(*tasks, return_exceptions=True)
