"""The state of the whole service, whichever server is asked."""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from service.dispatch import Engine, Progress, Status
from service.dispatch.board import Row, Seat

BEAT_SECONDS = 0.25
STARTING = "starting"


class Whole:
    """The state of all servers together; `own` returns that of this server's dispatcher."""

    def __init__(self, seat: Seat, own: Callable[[], Status]) -> None:
        self._seat = seat
        self._own = own
        before = seat.row.told()
        self._before = Counter(_read(before).restarts if before else {})
        """What earlier servers at this seat had counted: a sum must not shrink when one dies."""
        self._last: Status | None = None

    async def tell(self) -> None:
        """Keep telling the other servers and the parent how this one is."""
        while True:
            self.beat()
            await asyncio.sleep(BEAT_SECONDS)

    def beat(self) -> None:
        """Tell them once."""
        status, row = self._mine(), self._seat.row
        if status != self._last:
            row.tell(_written(status))
            row.open = int(status.workers > 0 and not status.draining)
            row.process = os.getpid()
            self._last = status
        row.beats += 1

    def status(self) -> Status:
        """Sum up: ready if all are; the expected wait is the longest of all."""
        mine = self._mine()
        if not self._seat.others:
            return mine
        self.beat()  # or another server, asked next, might report less than this one
        all_of_them = [mine if row is self._seat.row else _told(row) for row in self._seat.board.rows]
        known = [status for status in all_of_them if status]
        reason = _reason([status.reason if status else STARTING for status in all_of_them])
        return replace(
            mine,
            ready=not reason,
            reason=reason,
            workers=sum(status.workers for status in known),
            running=sum(status.running for status in known),
            queued=sum(status.queued for status in known),
            capacity=sum(status.capacity for status in known),
            expected_wait=max(status.expected_wait for status in known),
            restarts=dict(sum((Counter(status.restarts) for status in known), Counter[str]())),
            engine=mine.engine and Engine(mine.engine.level, min(_compiled(status) for status in all_of_them)),
        )

    def _mine(self) -> Status:
        status = self._own()
        return replace(status, restarts=dict(self._before + Counter(status.restarts))) if self._before else status


def progress_of(row: Row) -> Progress | None:
    """Return a server's progress in compiling, as last reported."""
    status = _told(row)
    return status.progress if status else None


def ready(row: Row) -> bool:
    status = _told(row)
    return bool(status and status.ready)


def _told(row: Row) -> Status | None:
    text = row.told() if row.process else b""
    return _read(text) if text else None


def _written(status: Status) -> bytes:
    return json.dumps(vars(status), separators=(",", ":")).encode()


def _read(text: bytes) -> Status:
    fields = json.loads(text)
    fields["engine"] = fields["engine"] and Engine(*fields["engine"])
    fields["progress"] = fields["progress"] and Progress(*fields["progress"])
    return Status(**fields)


def _compiled(status: Status | None) -> float:
    return status.engine.compiled if status and status.engine else 0.0


def _reason(reasons: list[str]) -> str:
    """Say why the service takes no work: for all servers, or for the first that takes none."""
    if len(set(reasons)) == 1:
        return reasons[0]
    return next(f"server {number}: {reason}" for number, reason in enumerate(reasons) if reason)
