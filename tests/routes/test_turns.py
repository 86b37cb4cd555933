"""Requests that come all at once begin a few at a time, in the order of coming."""

from __future__ import annotations

import asyncio

import pytest

from service.routes.turns import Turns

pytestmark = pytest.mark.anyio


async def test_few_begin_in_each_turn_and_all_in_order() -> None:
    turns, begun, counts = Turns(3), list[int](), list[int]()

    async def request(number: int) -> None:
        await turns.take()
        begun.append(number)

    requests = [asyncio.create_task(request(number)) for number in range(20)]
    while not all(each.done() for each in requests):
        await asyncio.sleep(0)
        counts.append(len(begun))
    assert begun == list(range(20))
    assert all(later - earlier <= 2 * 3 for earlier, later in zip([0, *counts], counts, strict=False))
    assert len(counts) >= 20 / (2 * 3)


async def test_single_request_goes_on_at_once() -> None:
    turns = Turns(1)
    for _ in range(3):
        await asyncio.wait_for(turns.take(), 5)
        await asyncio.sleep(0)
        await asyncio.sleep(0)


async def test_request_that_was_given_up_takes_no_turn() -> None:
    turns = Turns(1)
    first, second, third = (asyncio.create_task(turns.take()) for _ in range(3))
    await first
    second.cancel()
    await asyncio.wait_for(third, 5)
    assert second.cancelled()
