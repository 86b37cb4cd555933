"""Bodies of every size by either way, and nothing left behind."""

from __future__ import annotations

import asyncio
import errno
import os
from pathlib import Path

import pytest

from service.dispatch import payloads
from service.dispatch.errors import DeadlineExceeded, DispatchError
from service.dispatch.payloads import KEPT, SMALL, Address, Mailbox, MemoryFile, Shared, open_parcel, send_back
from service.engine.errors import InvalidSpec
from tests.dispatch.conftest import Pools
from tests.dispatch.tasks import order
from tests.waiting import until

pytestmark = pytest.mark.anyio
SIZES = [0, 1, SMALL - 1, SMALL, 3 * SMALL + 1, KEPT, KEPT + 1]


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def pattern(size: int) -> bytes:
    return (bytes(range(251)) * (size // 251 + 1))[:size]


@pytest.mark.parametrize("size", SIZES)
async def test_body_arrives_unchanged(size: int) -> None:
    mailbox = Mailbox()
    parcel = await mailbox.send(pattern(size))
    assert isinstance(parcel, Shared) == (size >= SMALL)
    body = open_parcel(parcel)
    answer = mailbox.receive(send_back(body, mailbox.address))
    assert body == pattern(size)
    assert answer == pattern(size)
    mailbox.close()


async def test_large_answer_stays_good_while_the_mailbox_is_used_again() -> None:
    mailbox = Mailbox()
    answer = mailbox.receive(send_back(pattern(KEPT + 1), mailbox.address))
    assert isinstance(answer, memoryview)
    mailbox.clear()
    mailbox.receive(send_back(b"x" * (KEPT + 1), mailbox.address))
    mailbox.close()
    assert answer == pattern(KEPT + 1)


async def test_mailbox_without_spare_descriptors_goes_on_by_the_message(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(name: str, flags: int) -> int:
        raise OSError

    mailbox = Mailbox()
    await mailbox.send(bytes(KEPT + 1))
    monkeypatch.setattr(os, "memfd_create", none)
    mailbox.clear()
    assert mailbox.address is None
    assert await mailbox.send(bytes(SMALL)) == bytes(SMALL)


async def test_worker_cannot_take_the_server_s_view_away() -> None:
    mailbox = Mailbox()
    assert mailbox.address
    parcel = send_back(pattern(SMALL), mailbox.address)
    with pytest.raises(PermissionError):
        os.truncate(mailbox.address.path, 0)
    assert mailbox.receive(parcel) == pattern(SMALL)
    mailbox.close()


async def test_answer_is_found_after_the_files_were_replaced() -> None:
    mailbox = Mailbox()
    for size in (SMALL, KEPT + 1, SMALL, SMALL + 1):
        assert open_parcel(await mailbox.send(pattern(size))) == pattern(size)
        assert mailbox.receive(send_back(pattern(size), mailbox.address)) == pattern(size)
        mailbox.clear()
    mailbox.close()


async def test_file_that_cannot_be_mapped_leaves_no_descriptor_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(descriptor: int, size: int) -> None:
        raise OSError(errno.ENOMEM, "no room")

    monkeypatch.setattr("mmap.mmap", none)
    before = descriptors()
    assert Mailbox().address is None
    assert descriptors() == before


async def test_views_leave_no_descriptor_behind() -> None:
    before = descriptors()
    mailbox = Mailbox()
    answer = mailbox.receive(send_back(pattern(KEPT + 1), mailbox.address))
    mailbox.close()
    assert descriptors() == before + 1
    del answer
    assert descriptors() == before


async def test_other_buffers_are_taken_too() -> None:
    mailbox = Mailbox()
    for body in (bytearray(pattern(SMALL)), memoryview(pattern(SMALL)), memoryview(b"small")):
        assert open_parcel(await mailbox.send(body)) == body
    mailbox.close()


async def test_everything_crosses_by_the_message_without_memory_files(
    pools: Pools, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(name: str, flags: int) -> int:
        raise OSError

    monkeypatch.setattr(os, "memfd_create", none)
    async with pools() as pool:
        for size in (10, 2_000_000):
            assert bytes((await pool.run(order(pattern(size)))).body) == pattern(size)


async def test_everything_crosses_by_the_message_where_proc_is_hidden(
    pools: Pools, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Hidden(MemoryFile):
        def __init__(self) -> None:
            super().__init__()
            self.address = Address("/proc/nowhere", 0)

    monkeypatch.setattr(payloads, "MemoryFile", Hidden)
    before = descriptors()
    async with pools() as pool:
        assert bytes((await pool.run(order(pattern(2_000_000)))).body) == pattern(2_000_000)
    assert descriptors() <= before


async def test_event_loop_goes_on_while_a_large_body_is_copied() -> None:
    mailbox = Mailbox()
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    await mailbox.send(bytes(8 << 20))
    counting.cancel()
    mailbox.close()
    assert turns >= 6


async def test_no_descriptor_is_left_behind(pools: Pools, tmp_path: Path) -> None:
    async with pools() as pool:  # the fork server and the tracker of semaphores keep some for good
        await pool.run(order(b"echo"))
    before = descriptors()
    async with pools(workers=2, queue=1, deadline=2) as pool:
        for _ in range(20):
            await pool.run(order(pattern(SMALL)))
        idle = descriptors()
        for _ in range(5):
            with pytest.raises(InvalidSpec):
                await pool.run(order(b"refuse".ljust(SMALL)))
        assert descriptors() == idle
        await asyncio.gather(*(pool.run(order(b"echo")) for _ in range(10)), return_exceptions=True)
        jobs = [asyncio.create_task(pool.run(order(b"spin %s" % bytes(tmp_path / "pid")))) for _ in range(3)]
        await until((tmp_path / "pid").exists)
        jobs[0].cancel()
        for job in jobs[1:]:
            with pytest.raises(DeadlineExceeded):
                await job
        with pytest.raises(DispatchError):
            await pool.run(order(b"exit".ljust(SMALL)))
        await until(lambda: pool.status().workers == 2)
        await until(lambda: descriptors() <= idle)
    assert descriptors() <= before
