"""The queue by itself: its workers are numbers."""

from __future__ import annotations

import asyncio

import pytest

from service.dispatch.admission import LIGHT_BYTES, Admission
from service.dispatch.errors import DeadlineExceeded, QueueFull, ShuttingDown

pytestmark = pytest.mark.anyio
HEAVY = LIGHT_BYTES


def admission(workers: int = 1, capacity: int = 10, cores: int = 8) -> Admission[int]:
    queue: Admission[int] = Admission(workers, capacity, cores)
    for worker in range(workers):
        queue.offer(worker)
    return queue


async def waiting(queue: Admission[int], *sizes: int) -> list[asyncio.Task[int]]:
    tasks = [asyncio.create_task(queue.enter(size, 5)) for size in sizes]
    await asyncio.sleep(0)
    return tasks


async def test_idle_worker_is_had_at_once() -> None:
    queue = admission(workers=2)
    assert {await queue.enter(1, 5), await queue.enter(1, 5)} == {0, 1}
    assert (queue.running, queue.waiting) == (2, 0)


async def test_full_queue_refuses_at_once() -> None:
    queue = admission(capacity=2)
    await queue.enter(1, 5)
    tasks = await waiting(queue, 1, 1)
    with pytest.raises(QueueFull, match="2 jobs are waiting, of at most 2") as refusal:
        await queue.enter(1, 5)
    assert refusal.value.retry_after >= 1
    queue.close(ShuttingDown("over", 1))
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_queue_of_none_refuses_whoever_would_wait() -> None:
    queue = admission(capacity=0)
    assert not queue.full
    await queue.enter(1, 5)
    assert queue.full
    with pytest.raises(QueueFull):
        await queue.enter(1, 5)


async def test_nobody_enters_what_is_closed() -> None:
    queue = admission()
    await queue.enter(1, 5)
    (waiter,) = await waiting(queue, 1)
    queue.close(ShuttingDown("over", 1))
    with pytest.raises(ShuttingDown):
        await waiter
    with pytest.raises(ShuttingDown):
        await queue.enter(1, 5)


async def test_worker_that_is_away_for_a_moment_refuses_nobody() -> None:
    queue = admission(capacity=0)
    assert queue.take(lambda worker: worker == 1) is None
    assert queue.take(lambda worker: worker == 0) == 0
    queue.away += 1
    (waiter,) = await waiting(queue, 1)
    queue.away -= 1
    queue.offer(0)
    assert await waiter == 0


async def test_waiting_ends_with_the_deadline() -> None:
    queue = admission()
    await queue.enter(1, 5)
    with pytest.raises(DeadlineExceeded, match=r"0\.02 s"):
        await queue.enter(1, 0.02)
    assert queue.waiting == 0


async def test_passed_deadline_is_not_begun() -> None:
    with pytest.raises(DeadlineExceeded):
        await admission().enter(1, 0)


async def test_first_come_is_first_served() -> None:
    queue = admission(workers=1)
    worker = await queue.enter(1, 5)
    tasks = await waiting(queue, 1, 1, 1)
    for task in tasks:
        queue.leave(0.1)
        queue.offer(worker)
        assert await task == worker


async def test_light_jobs_pass_heavy_ones_that_still_have_their_turn() -> None:
    queue = admission()
    worker = await queue.enter(1, 5)
    order: list[str] = []

    async def enter(name: str, size: int) -> None:
        await queue.enter(size, 5)
        order.append(name)
        queue.leave(0.1)
        queue.offer(worker)

    heavy = [asyncio.create_task(enter("heavy", HEAVY)) for _ in range(3)]
    await asyncio.sleep(0)
    light = [asyncio.create_task(enter("light", 1)) for _ in range(6)]
    await asyncio.sleep(0)
    queue.leave(0.1)
    queue.offer(worker)
    await asyncio.gather(*heavy, *light)
    assert order == ["light"] * 3 + ["heavy"] + ["light"] * 3 + ["heavy"] * 2


async def test_cancelled_waiter_gives_up_its_place() -> None:
    queue = admission()
    worker = await queue.enter(1, 5)
    first, second = await waiting(queue, 1, 1)
    first.cancel()
    await asyncio.sleep(0)
    assert queue.waiting == 1
    queue.leave(0.1)
    queue.offer(worker)
    assert await second == worker


async def test_worker_handed_to_a_cancelled_waiter_goes_to_the_next() -> None:
    queue = admission()
    worker = await queue.enter(1, 5)
    first, second = await waiting(queue, 1, 1)
    queue.leave(0.1)
    queue.offer(worker)
    first.cancel()
    assert await second == worker
    assert queue.running == 1


async def test_cores_are_shared_out() -> None:
    queue = admission(workers=4, cores=8)
    await queue.enter(1, 5)
    assert queue.threads() == 8
    await queue.enter(1, 5)
    assert queue.threads() == 4
    for _ in range(2):
        await queue.enter(1, 5)
    tasks = await waiting(queue, *[1] * 8)
    assert queue.threads() == 1
    queue.close(ShuttingDown("over", 1))
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_retry_after_follows_what_jobs_take() -> None:
    queue = admission()
    for _ in range(50):
        await queue.enter(1, 5)
        queue.leave(8.0)
        queue.offer(0)
    await queue.enter(1, 5)
    assert 7 <= queue.retry_after <= 8
