"""What the parent of several servers knows of each: whether it hangs, and when another takes its place."""

from __future__ import annotations

import pytest

from service import watch
from service.dispatch.board import Seat
from service.watch import FIRST_PAUSE, HUNG_LOOKS, LONGEST_PAUSE, SETTLED_SECONDS, Post


def test_server_whose_loop_does_not_turn_hangs() -> None:
    post = Post(Seat.alone())
    post.seat.row.process = 1000
    post.seat.row.beats = 5
    assert not any(post.hangs() for _ in range(HUNG_LOOKS))
    assert post.hangs()


def test_server_whose_loop_turns_now_and_then_does_not_hang() -> None:
    post = Post(Seat.alone())
    post.seat.row.process = 1000
    for _ in range(3):
        post.seat.row.beats += 1
        assert not any(post.hangs() for _ in range(HUNG_LOOKS))


def test_server_that_takes_its_time_to_start_does_not_hang() -> None:
    post = Post(Seat.alone())
    assert not any(post.hangs() for _ in range(3 * HUNG_LOOKS))


def test_pause_grows_until_a_server_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1000.0]
    monkeypatch.setattr(watch, "monotonic", lambda: clock[0])
    post, pauses = Post(Seat.alone()), []
    for _ in range(8):
        post.since = clock[0]
        clock[0] += SETTLED_SECONDS / 2
        post.postpone()
        assert post.due == clock[0] + post.pause
        pauses.append(post.pause)
    assert pauses == sorted(pauses)
    assert pauses[0] == 2 * FIRST_PAUSE
    assert pauses[-1] == LONGEST_PAUSE
    post.since = clock[0]
    clock[0] += SETTLED_SECONDS
    post.postpone()
    assert post.pause == FIRST_PAUSE


def test_server_that_could_not_be_forked_is_tried_again_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "monotonic", lambda: 1000.0)
    post = Post(Seat.alone())
    post.postpone()
    post.postpone()
    assert post.due > 1000 + FIRST_PAUSE
