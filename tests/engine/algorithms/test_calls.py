from __future__ import annotations

import threading
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from service.engine.algorithms import calls
from service.engine.algorithms.calls import Call
from service.engine.loops import calls as loops
from service.engine.loops.compiler import compiled
from service.engine.loops.pointwise import PIECE, ROOM, Colours, recolour
from service.engine.loops.samples import KINDS
from service.engine.steps.geometry import Shape
from tests.processes import in_a_fork, keeping_away, needs_fork
from tests.waiting import PATIENCE

FLOAT = KINDS["float32"]

LUMA = np.array([[299, 587, 114]], np.float32)


def colours(pixels: int) -> Colours:
    one = np.float32(1)
    return Colours(pixels, FLOAT, LUMA, one, np.zeros(1, np.float32), one, FLOAT)


def gray(pixels: int) -> Call:
    return Call(recolour, colours(pixels), output=Shape(1, pixels, 1), target="float32", pieces=9, room=ROOM)


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
        thread.join(PATIENCE)
    assert not failures


@needs_fork
@pytest.mark.skipif(not loops.LINUX, reason="elsewhere nobody tells on which processor a thread is")
def test_threads_leave_its_processor_to_the_caller_wherever_that_is() -> None:
    in_a_fork(keeping_away, partial(check, 1, 2))


def test_arguments_outlive_their_names() -> None:
    call = gray(1)
    others = [np.full((1, 3), 7, np.float32) for _ in range(100)]
    assert call.apply(np.ones((1, 1, 3), np.float32), 1) == 1000
    assert len(others) == 100


def test_loop_that_fails_is_reported() -> None:
    def fails(given: Any, notes: Any) -> None:
        (own,) = loops.arguments(notes)
        if own.pixels < given[loops.COUNTER]:
            raise ValueError("no")

    loop: Any = compiled(noted=True)(fails)
    call = Call(loop, colours(1), output=Shape(1, 1, 1), target="uint8", pieces=2)
    for threads in (1, 2):
        with pytest.raises(RuntimeError, match="failed"):
            call.apply(np.zeros((1, 1, 1), np.uint8), threads)


class Inner(NamedTuple):
    flag: bool
    short: np.int16
    nothing: None
    square: NDArray[np.float32]
    real: np.float32


class Alike(NamedTuple):
    first: int
    second: int


class Outer(NamedTuple):
    inner: Inner
    alike: Alike
    line: NDArray[np.uint8]
    flags: tuple[bool, bool, bool]
    most: float
    reals: NDArray[np.float64]


def test_arguments_come_as_they_were_noted() -> None:
    """Numba lays tuples out as C does; where this fails, see what it makes of arrays in loops/calls.py, `_layout`."""

    def tell(given: Any, notes: Any) -> None:
        outer, number = loops.arguments(notes)
        inner, out = outer.inner, loops.numbers_at(given[loops.OUT], (12,), outer.reals)
        out[0], out[1], out[2] = inner.flag, inner.short, inner.nothing is None
        out[3], out[4], out[5] = inner.square[1, 2], inner.square.shape[1], inner.real
        out[6], out[7], out[8] = outer.alike.first, outer.alike.second, outer.line[3]
        out[9], out[10], out[11] = outer.flags[2], outer.most, number

    square, line = np.arange(6, dtype=np.float32).reshape(2, 3), np.arange(9, dtype=np.uint8)
    line.flags.writeable = False
    inner = Inner(True, np.int16(-7), None, square, np.float32(0.5))
    outer = Outer(inner, Alike(2**40, -3), line, (False, False, True), 1e300, np.zeros(0))
    loop: Any = compiled(noted=True)(tell)
    call = Call(loop, outer, np.uint16(65535), output=Shape(1, 12, 1), target="float64", pieces=1)
    found = call.apply(np.zeros((1, 1, 1), np.uint8), 1)
    assert found.reshape(-1).tolist() == [1, -7, 1, 5, 3, 0.5, 2**40, -3, 3, 1, 1e300, 65535]


def test_where_memory_is_short_the_next_call_finds_all_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*arguments: object) -> None:
        raise MemoryError

    calls.forget()
    with monkeypatch.context() as short:
        short.setattr(calls, "aligned", none)
        with pytest.raises(MemoryError):
            check(3 * PIECE, 2)
    check(3 * PIECE, 2)


@needs_fork
def test_without_room_for_threads_the_caller_does_it_all() -> None:
    in_a_fork(without_threads)


def without_threads() -> None:
    def none(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threading.Thread, "start", none)
        check(9 * PIECE, 4, times=3)


@needs_fork
def test_forked_process_makes_threads_of_its_own() -> None:
    check(PIECE, 2)
    in_a_fork(check, 3 * PIECE, 2)
