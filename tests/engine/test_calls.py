from __future__ import annotations

import multiprocessing
import os
import threading
from typing import Any

import numpy as np
import pytest

from service.engine import calls
from service.engine.calls import Call
from service.engine.geometry import Shape
from service.engine.loops import calls as loops
from service.engine.loops.compiler import compiled
from service.engine.loops.lanes import KINDS
from service.engine.loops.pointwise import PIECE, Colours, recolour

FLOAT = KINDS["float32"]

LUMA = np.array([[299, 587, 114]], np.float32)


def colours(pixels: int) -> Colours:
    one = np.float32(1)
    return Colours(pixels, FLOAT, LUMA, one, np.zeros(1, np.float32), one, FLOAT)


def gray(pixels: int) -> Call:
    return Call(recolour, colours(pixels), output=Shape(1, pixels, 1), target="float32", pieces=9, room=100)


def check(pixels: int, threads: int, times: int = 1) -> None:
    """Turn random whole numbers gray, which floats do without an error."""
    random, call = np.random.default_rng(pixels), gray(pixels)
    for _ in range(times):
        image = random.integers(0, 256, (1, pixels, 3)).astype(np.float32)
        np.testing.assert_array_equal(call.apply(image, threads), image.astype(int) @ LUMA.T.astype(int))


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("pixels", [1, PIECE, 9 * PIECE + 5])
def test_all_is_made_whatever_the_number_of_threads(pixels: int, threads: int) -> None:
    check(pixels, threads, times=3)


def test_threads_come_and_go() -> None:
    for threads in (3, 1, 2, 4, 2):
        check(3 * PIECE, threads)


def test_box_that_was_not_opened_is_not_opened_later() -> None:
    """The caller is done before a thread has woken: the call is taken back, and not done late or twice."""
    check(1, 5, times=300)


def test_calls_of_several_threads_do_not_disturb_each_other() -> None:
    failures: list[BaseException] = []

    def many(number: int) -> None:
        try:
            check(2 * PIECE + number, 3, times=20)
        except BaseException as failure:
            failures.append(failure)

    callers = [threading.Thread(target=many, args=(number,)) for number in range(6)]
    for thread in callers:
        thread.start()
    for thread in callers:
        thread.join(120)
    assert not failures


@pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2,
    reason="threads are kept apart where the system can be asked for it, and there are two processors",
)
def test_threads_leave_its_processor_to_the_caller_wherever_that_is() -> None:
    before = os.sched_getaffinity(0)
    calls._idle.clear()
    try:
        for processor in before:
            os.sched_setaffinity(0, {processor})
            check(1, 2)
            (crew,) = calls._idle
            (thread,) = crew._helpers
            assert thread.native_id is not None
            assert crew._boxes[0][loops.PROCESSOR] == processor
            os.sched_setaffinity(0, before)
            crew.leave(processor)
            assert os.sched_getaffinity(thread.native_id) == before - {processor}
    finally:
        os.sched_setaffinity(0, before)


def test_arguments_outlive_their_names() -> None:
    call = gray(1)
    others = [np.full((1, 3), 7, np.float32) for _ in range(100)]
    assert call.apply(np.ones((1, 1, 3), np.float32), 1) == 1000
    assert len(others) == 100


def test_loop_that_fails_is_reported() -> None:
    def fails(given: Any, colours: Any) -> None:
        if colours.pixels < given[loops.COUNTER]:
            raise ValueError("no")

    loop: Any = compiled(fails)
    call = Call(loop, colours(1), output=Shape(1, 1, 1), target="uint8", pieces=2)
    for threads in (1, 2):
        with pytest.raises(RuntimeError, match="failed"):
            call.apply(np.zeros((1, 1, 1), np.uint8), threads)


def test_where_memory_is_short_the_next_call_finds_all_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*arguments: object) -> None:
        raise MemoryError

    for crew in calls._idle:
        crew.equip(0, 0)
    with monkeypatch.context() as short:
        short.setattr(calls, "aligned", none)
        with pytest.raises(MemoryError):
            check(3 * PIECE, 2)
    check(3 * PIECE, 2)


def test_without_room_for_threads_the_caller_does_it_all(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(calls, "_idle", type(calls._idle)())
    monkeypatch.setattr(threading.Thread, "start", none)
    check(9 * PIECE, 4, times=3)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform does not fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_forked_process_makes_threads_of_its_own() -> None:
    check(PIECE, 2)
    child = multiprocessing.get_context("fork").Process(target=check, args=(3 * PIECE, 2))
    child.start()
    child.join(120)
    assert child.exitcode == 0
