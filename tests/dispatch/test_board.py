"""What servers tell each other by memory that they share, and the service as one of it."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

import pytest

from service.dispatch import Engine, Progress, Status
from service.dispatch.admission import Admission
from service.dispatch.board import MOST_TEXT, ROW_BYTES, Board, Seat
from service.dispatch.compiling import Following
from service.dispatch.errors import QueueFull
from service.dispatch.whole import Whole, progress_of, ready
from service.routes.room import Room
from tests.dispatch.conftest import working_pool
from tests.dispatch.tasks import order
from tests.waiting import until

pytestmark = pytest.mark.anyio


@pytest.fixture
def seats(tmp_path: Path) -> list[Seat]:
    """Give the seats of three servers, each with a board of its own on the same memory, as in processes."""
    Board.make(tmp_path / "board", 3)
    return [Seat(Board.open(tmp_path / "board"), number) for number in range(3)]


def like(**told: object) -> Status:
    fields = {"ready": True, "reason": "", "workers": 2, "running": 0, "queued": 0, "capacity": 32, "restarts": {}}
    return Status(**{**fields, **told})  # type: ignore[arg-type]


def like_this(status: Status) -> Status:
    return status


def telling(seats: list[Seat], *statuses: Status) -> list[Whole]:
    """Let servers tell how they are, from the first on."""
    wholes = [Whole(seat, partial(like_this, status)) for seat, status in zip(seats, statuses, strict=False)]
    for whole in wholes:
        whole.beat()
    return wholes


def test_numbers_are_seen_by_all(seats: list[Seat]) -> None:
    seats[0].row.jobs, seats[1].row.jobs, seats[2].row.held = 3, -4, 1 << 40
    assert [seat.jobs_elsewhere() for seat in seats] == [-4, 3, -1]
    assert [seat.held_elsewhere() for seat in seats] == [1 << 40, 1 << 40, 0]
    seats[1].board.replaced, seats[1].board.spent = 7, 8
    assert (seats[0].board.replaced, seats[0].board.spent) == (7, 8)


@pytest.mark.parametrize("text", [b"", b"x", b"y" * MOST_TEXT])
def test_text_is_read_as_it_was_told(seats: list[Seat], text: bytes) -> None:
    seats[0].row.tell(b"what was told before")
    seats[0].row.tell(text)
    assert seats[1].board.rows[0].told() == text
    assert seats[1].board.rows[1].told() == b""


def test_text_that_is_too_long_is_refused(seats: list[Seat]) -> None:
    with pytest.raises(ValueError, match=f"{MOST_TEXT + 1:,} bytes, of at most {MOST_TEXT:,}"):
        seats[0].row.tell(bytes(MOST_TEXT + 1))


def test_text_whose_writer_died_in_the_middle_is_not_read(tmp_path: Path) -> None:
    board = Board.make(tmp_path / "board", 1)
    board.rows[0].tell(b"as it was told")
    with (tmp_path / "board").open("r+b") as file:
        file.seek(ROW_BYTES + ROW_BYTES - MOST_TEXT)
        file.write(b"A")
    assert board.rows[0].told() == b""


def test_server_that_has_ended_holds_nothing(seats: list[Seat]) -> None:
    row = seats[0].row
    row.jobs, row.held, row.connections, row.open = 1, 2, 3, 1
    telling(seats, like())
    row.clear()
    assert (row.jobs, row.held, row.connections, row.open, row.process) == (0, 0, 0, 0, 0)
    assert not ready(row)


@pytest.mark.parametrize("whole", [0, 1, 2, 3, 16, 8192])
def test_shares_come_to_the_whole(seats: list[Seat], whole: int) -> None:
    shares = [seat.share(whole) for seat in seats]
    assert sum(shares) == whole
    assert max(shares) - min(shares) <= 1
    assert Seat.alone().share(whole) == whole


def test_service_is_the_sum_of_its_servers(seats: list[Seat]) -> None:
    statuses = (
        like(running=1, restarts={"crashed": 1}, engine=Engine("x86-64-v3", 1.0)),
        like(
            workers=1,
            queued=5,
            expected_wait=1.5,
            restarts={"crashed": 2, "memory": 1},
            engine=Engine("x86-64-v3", 0.5),
        ),
        like(engine=Engine("x86-64-v3", 0.75), progress=Progress(3, 4, finished=False, failed=False)),
    )
    for whole in telling(seats, *statuses):
        told = whole.status()
        assert (told.ready, told.reason) == (True, "")
        assert (told.workers, told.running, told.queued, told.capacity) == (5, 1, 5, 96)
        assert told.expected_wait == 1.5
        assert told.restarts == {"crashed": 3, "memory": 1}
        assert told.engine == Engine("x86-64-v3", 0.5)
    assert progress_of(seats[0].board.rows[2]) == (3, 4, False, False)


def test_service_is_ready_when_all_servers_are(seats: list[Seat]) -> None:
    full = like(ready=False, reason="the queue is full")
    wholes = telling(seats, like(), full)
    assert wholes[0].status().reason == "server 1: the queue is full"
    seats[1].row.clear()
    assert wholes[0].status().reason == "server 1: starting"
    draining = [like(ready=False, reason="draining", draining=True)] * 3
    assert {whole.status().reason for whole in telling(seats, *draining)} == {"draining"}
    assert {whole.status().ready for whole in telling(seats, *[like()] * 3)} == {True}


def test_restarts_do_not_become_fewer_by_the_death_of_a_server(seats: list[Seat]) -> None:
    telling(seats, like(), like(restarts={"crashed": 4}))
    seats[1].row.clear()
    wholes = telling(seats, like(), like(restarts={"memory": 1}))
    assert wholes[0].status().restarts == {"crashed": 4, "memory": 1}
    seats[1].row.clear()
    assert telling(seats, like(), like())[1].status().restarts == {"crashed": 4, "memory": 1}


def test_service_of_one_process_is_that_process() -> None:
    status = like(ready=False, reason="starting")
    assert Whole(Seat.alone(), lambda: status).status() is status


def test_cores_are_shared_with_jobs_elsewhere(seats: list[Seat]) -> None:
    here: Admission[int] = Admission(4, 10, 8, seats[0].jobs_elsewhere)
    assert here.threads() == 8
    seats[1].row.jobs, seats[2].row.jobs = 1, 2
    assert here.threads() == 2
    seats[1].row.jobs = 100
    assert here.threads() == 1


async def test_jobs_of_two_pools_share_the_cores(tmp_path: Path, seats: list[Seat]) -> None:
    async with working_pool(seat=seats[0], cores=6) as first, working_pool(seat=seats[1], cores=6) as second:
        assert (await first.run(order(b"threads"))).body == b"6"
        waiting = asyncio.create_task(first.run(order(b"wait %s" % str(tmp_path / "go").encode())))
        await until(lambda: first.status().running == 1)
        assert (await second.run(order(b"threads"))).body == b"3"
        (tmp_path / "go").touch()
        await waiting
        assert (await second.run(order(b"threads"))).body == b"6"


def test_room_is_that_of_all_servers(seats: list[Seat]) -> None:
    rooms = [Room(1000, lambda _: None, seat) for seat in seats]
    with rooms[0].upload(0) as first, rooms[1].upload(0) as second:
        first.grow(600)
        second.grow(400)
        assert [room.held for room in rooms] == [1000] * 3
        with (
            rooms[2].upload(0) as third,
            pytest.raises(QueueFull, match="1,000 bytes are held already, of at most 1,0"),
        ):
            third.grow(1)
    assert [room.held for room in rooms] == [0] * 3


async def test_what_another_server_compiles_is_followed() -> None:
    seen: list[Progress | None] = [None]
    told: list[int] = []
    following = Following(lambda: told.append(following.done), lambda: seen[0])
    following.begin()
    seen[0] = Progress(2, 9, finished=False, failed=False)
    await until(lambda: told == [2])
    seen[0] = Progress(1, 9, finished=False, failed=False)  # of one that was begun again
    seen[0] = Progress(9, 9, finished=True, failed=False)
    await until(lambda: following.finished)
    assert told == [2, 9]
    await following.stop()


@pytest.mark.parametrize("parts", [0, 9])
async def test_end_of_the_compiling_is_news_where_the_last_part_was_not_told(parts: int) -> None:
    """The server that compiled may have died, and the one in its place have found all on disk."""
    told: list[int] = []
    following = Following(lambda: told.append(following.done), lambda: Progress(0, parts, finished=True, failed=False))
    following.begin()
    await until(lambda: following.finished)
    assert told == [max(parts, 1)]
    await following.stop()


async def test_compiling_that_fails_elsewhere_has_failed() -> None:
    following = Following(lambda: None, lambda: Progress(1, 9, finished=False, failed=True))
    following.begin()
    await until(lambda: following.failed)
    await following.stop()
