"""Run a batch: read files, have their jobs done elsewhere, write results; a few at a time, however many there are."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from time import perf_counter

from service.batch import files
from service.batch.failures import Failure, failure
from service.batch.files import FileError, NoRoom
from service.batch.sources import Item
from service.dispatch import Dispatcher
from service.dispatch.errors import DispatchError
from service.engine.errors import EngineError, UnsupportedFormat
from service.engine.jobs import Answer, Job, Result
from service.engine.machine.limits import Limits
from service.routes.errors import RouteError

LANES_PER_WORKER = 2
GLANCE_SECONDS = 0.2
PATIENCE_SECONDS = 120.0


class Stranded(Exception):
    """The batch cannot go on; the message says why."""


@dataclass(frozen=True)
class Order:
    """What to do with every file: the text of a spec (perhaps a preset's), the form of the result, the bounds."""

    spec: bytes
    preset: bool
    answer: Answer
    limits: Limits
    max_body_bytes: int


@dataclass
class Tally:
    """What has become of the files so far."""

    made: int = 0
    no_pictures: int = 0
    failures: list[Failure] = field(default_factory=list)


class Batch:
    """Processes all items through a dispatcher, which it starts and stops.

    Each worker has two lanes: while the job of one runs, the other reads and writes. A job is handed over only in its
    turn, so waiting does not count against its deadline.
    """

    def __init__(
        self, items: Iterable[Item], order: Order, dispatcher: Dispatcher, tally: Tally, advance: Callable[[], None]
    ) -> None:
        self._items = iter(items)
        self._order = order
        self._dispatcher = dispatcher
        self._tally = tally
        self._advance = advance
        self._turns = asyncio.Semaphore(0)
        self._saving: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Process all items; raises Stranded. Cancelling it stops the work; finished results stay."""
        await self._dispatcher.start()
        lanes: set[asyncio.Task[None]] = set()
        try:
            await self._drive(lanes)
        finally:
            for lane in lanes:
                lane.cancel()
            await asyncio.gather(*lanes, *self._saving, return_exceptions=True)
            await self._dispatcher.stop()

    async def _drive(self, lanes: set[asyncio.Task[None]]) -> None:
        """Open lanes as workers appear, and wait until the last lane is done."""
        most, last_seen = 0, perf_counter()
        while not lanes or not all(lane.done() for lane in lanes):
            status = self._dispatcher.status()
            if status.workers:
                last_seen = perf_counter()
            elif perf_counter() > last_seen + PATIENCE_SECONDS:
                raise Stranded(f"for {PATIENCE_SECONDS:g} s no worker was available: {status.reason}")
            for _ in range(status.workers - most):
                self._turns.release()
                lanes.update(asyncio.create_task(self._lane()) for _ in range(LANES_PER_WORKER))
            most = max(most, status.workers)
            if not lanes:
                await asyncio.sleep(GLANCE_SECONDS)
                continue
            done, _ = await asyncio.wait(lanes, timeout=GLANCE_SECONDS, return_when=asyncio.FIRST_EXCEPTION)
            for lane in done:
                lane.result()

    async def _lane(self) -> None:
        for item in self._items:
            try:
                await self._one(item)
            except NoRoom as error:
                raise Stranded(error.detail) from None
            except UnsupportedFormat:
                self._tally.no_pictures += 1
            except (EngineError, RouteError, DispatchError, FileError) as error:
                self._tally.failures.append(failure(item.source, error))
            self._advance()

    async def _one(self, item: Item) -> None:
        order = self._order
        image = await asyncio.to_thread(files.read, item.source, order.max_body_bytes)
        async with self._turns:
            job = Job("filter", image, order.limits, perf_counter(), "image", order.spec, order.preset, order.answer)
            result = await self._dispatcher.run(job)
        saving = asyncio.create_task(self._save(item, result))
        self._saving.add(saving)
        saving.add_done_callback(self._saving.discard)
        await asyncio.shield(saving)

    async def _save(self, item: Item, result: Result) -> None:
        await asyncio.to_thread(files.save, item.target, result.body)
        self._tally.made += 1
