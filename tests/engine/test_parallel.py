from __future__ import annotations

import multiprocessing
import os
import threading

import pytest

from service.engine import parallel


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("count", [0, 1, 2, 100])
def test_each_piece_is_done_once(threads: int, count: int) -> None:
    done: list[int] = []
    parallel.each(done.append, range(count), threads)
    assert sorted(done) == list(range(count))


def test_pieces_run_side_by_side() -> None:
    together = threading.Barrier(3, timeout=60)
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
        together.wait(60)
        names.add(threading.current_thread().name)

    for _ in range(20):
        parallel.each(work, range(2), 2)
    assert len(names - {threading.current_thread().name}) <= 4


@pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2,
    reason="threads are kept apart where the system can be asked for it, and there are two processors",
)
def test_threads_have_processors_of_their_own_for_as_long_as_they_work() -> None:
    before = os.sched_getaffinity(0)
    together = threading.Barrier(2, timeout=60)
    during: list[set[int]] = []

    def work(_: int) -> None:
        together.wait()
        during.append(os.sched_getaffinity(0))

    for _ in range(2):  # threads that do not exist yet begin where they are put
        during.clear()
        parallel.each(work, range(2), 2)
    assert during[0].isdisjoint(during[1])
    assert os.sched_getaffinity(0) == before
    with pytest.raises(ZeroDivisionError):
        parallel.each(lambda piece: 1 // piece, range(2), 2)
    assert os.sched_getaffinity(0) == before


def use_two_threads() -> None:
    together = threading.Barrier(2, timeout=60)
    parallel.each(lambda _: together.wait(), range(2), 2)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform does not fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_forked_process_makes_threads_of_its_own() -> None:
    use_two_threads()
    child = multiprocessing.get_context("fork").Process(target=use_two_threads)
    child.start()
    child.join(120)
    assert child.exitcode == 0
