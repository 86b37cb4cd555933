from __future__ import annotations

import sys
import threading
import weakref
from contextvars import ContextVar

import pytest

from service.engine.machine import parallel
from tests.processes import in_a_fork, keeping_away, needs_fork
from tests.waiting import PATIENCE


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("count", [0, 1, 2, 100])
def test_each_piece_is_done_once(threads: int, count: int) -> None:
    done: list[int] = []
    parallel.each(done.append, range(count), threads)
    assert sorted(done) == list(range(count))


def test_pieces_run_side_by_side() -> None:
    together = threading.Barrier(3, timeout=PATIENCE)
    parallel.each(lambda _: together.wait(), range(3), 3)


@pytest.mark.parametrize("threads", [1, 3])
def test_failure_reaches_the_caller_and_ends_the_work(threads: int) -> None:
    done: list[int] = []

    def work(piece: int) -> None:
        if piece == 5:
            raise ValueError("five")
        done.append(piece)

    with pytest.raises(ValueError, match="five"):
        parallel.each(work, range(10_000), threads)
    assert len(done) < 10_000


def test_threads_are_kept() -> None:
    names: set[str] = set()
    together = threading.Barrier(2)

    def work(_: int) -> None:
        together.wait(PATIENCE)
        names.add(threading.current_thread().name)

    for _ in range(20):
        parallel.each(work, range(2), 2)
    assert len(names - {threading.current_thread().name}) <= 4


@needs_fork
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nobody tells on which processor a thread is")
def test_helpers_leave_its_processor_to_the_caller_wherever_that_is() -> None:
    in_a_fork(keeping_away, use_two_threads)


def test_helper_that_was_not_needed_is_ready_for_the_next_call() -> None:
    """The caller is done before a helper has woken: the work is withdrawn, and not done late or twice."""
    for count in range(2, 200):
        done: list[int] = []
        parallel.each(done.append, range(count), 5)
        assert sorted(done) == list(range(count))


def test_calls_of_several_threads_do_not_disturb_each_other() -> None:
    wrong: list[int] = []

    def call(number: int) -> None:
        for _ in range(200):
            done: list[int] = []
            parallel.each(done.append, range(number, number + 9), 3)
            if sorted(done) != list(range(number, number + 9)):
                wrong.append(number)

    callers = [threading.Thread(target=call, args=(10 * number,)) for number in range(6)]
    for thread in callers:
        thread.start()
    for thread in callers:
        thread.join(PATIENCE)
    assert not wrong


def test_failure_of_a_helper_reaches_the_caller_and_is_forgotten() -> None:
    caller, together = threading.get_ident(), threading.Barrier(2, timeout=PATIENCE)

    def work(_: int) -> None:
        together.wait()
        if threading.get_ident() != caller:
            raise ValueError("helper")

    for _ in range(3):
        with pytest.raises(ValueError, match="helper"):
            parallel.each(work, range(2), 2)
    use_two_threads()


def test_nothing_is_kept_of_what_was_done() -> None:
    class Image:
        pass

    def use(image: Image) -> None:
        together = threading.Barrier(2, timeout=PATIENCE)
        parallel.each(lambda _: (image, together.wait()), range(2), 2)

    image = Image()
    gone = weakref.ref(image)
    use(image)
    del image
    use_two_threads()  # the helper has come to the end of the former call, if it has begun this one
    assert gone() is None


def use_two_threads() -> None:
    together = threading.Barrier(2, timeout=PATIENCE)
    parallel.each(lambda _: together.wait(), range(2), 2)


@needs_fork
def test_forked_process_makes_threads_of_its_own() -> None:
    use_two_threads()
    in_a_fork(use_two_threads)


def test_all_threads_work_in_the_callers_context() -> None:
    place: ContextVar[str] = ContextVar("place", default="elsewhere")
    place.set("here")
    both, seen = threading.Barrier(2), list[str]()

    def look(_: int) -> None:
        both.wait(PATIENCE)
        seen.append(place.get())

    parallel.each(look, range(2), 2)
    assert seen == ["here", "here"]
