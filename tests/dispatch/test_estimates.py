"""What is expected of jobs: laws that hold whatever was done before."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.dispatch.estimates import KEPT, SEEN_BYTES, Estimates, Kind, Took, took
from service.engine.jobs import Job, Result
from service.engine.jobs.timings import Timing
from service.engine.machine.limits import Limits

kinds = st.builds(Kind, st.integers(0, 40), st.integers(0, 3))
seconds = st.floats(1e-5, 1e4)
tooks = st.tuples(seconds, seconds | st.just(math.inf)).map(lambda pair: Took(min(pair), max(pair)))
lives = st.lists(st.tuples(kinds, tooks), max_size=30)
JOB = Job("filter", bytes(1000), Limits(), 0.0, form="image", spec=b'{"op": "blur"}')


def after(life: list[tuple[Kind, Took]]) -> Estimates:
    estimates = Estimates()
    for kind, each in life:
        estimates.learn(kind, each)
    return estimates


@given(lives, kinds)
def test_every_job_is_expected_to_take_some_time(life: list[tuple[Kind, Took]], kind: Kind) -> None:
    assert 0 < after(life).seconds(kind) < math.inf


@given(st.integers(0, 40))
def test_larger_jobs_are_expected_to_take_longer_before_any_was_done(octave: int) -> None:
    assert Estimates().seconds(Kind(octave, 0)) < Estimates().seconds(Kind(octave + 1, 0))


@given(lives, kinds, tooks)
def test_estimate_moves_towards_what_was_seen_and_not_past_it(
    life: list[tuple[Kind, Took]], kind: Kind, seen: Took
) -> None:
    estimates = after(life)
    before = estimates.seconds(kind)
    estimates.learn(kind, seen)
    now = estimates.seconds(kind)
    goal = min(max(before, seen.least), seen.most)
    assert min(before, goal) * (1 - 1e-9) <= now <= max(before, goal) * (1 + 1e-9)
    if goal == before:
        assert now == pytest.approx(before)


@given(lives, kinds, seconds)
def test_what_is_seen_again_and_again_is_expected(life: list[tuple[Kind, Took]], kind: Kind, each: float) -> None:
    estimates = after(life)
    for _ in range(300):
        estimates.learn(kind, Took(each, each))
    assert estimates.seconds(kind) == pytest.approx(each, rel=1e-3)
    assert estimates.seconds(kind._replace(asked=-1)) == pytest.approx(each, rel=1e-3)  # of its size, too


@given(lives, kinds, tooks)
def test_other_sizes_learn_nothing(life: list[tuple[Kind, Took]], kind: Kind, seen: Took) -> None:
    estimates = after(life)
    others = [Kind(octave, asked) for octave in range(41) for asked in range(4) if octave != kind.octave]
    before = [estimates.seconds(other) for other in others]
    estimates.learn(kind, seen)
    assert [estimates.seconds(other) for other in others] == before


def test_one_slow_job_does_not_count_for_others_of_its_size() -> None:
    estimates, usual, slow = Estimates(), Kind(13, 1), Kind(13, 2)
    for _ in range(100):
        estimates.learn(usual, Took(0.001, 0.001))
    estimates.learn(slow, Took(10, 10))
    assert estimates.seconds(usual) == pytest.approx(0.001, rel=1e-3)
    assert estimates.seconds(Kind(13, 3)) < 0.003
    assert estimates.seconds(slow) > 0.09


def test_kinds_that_are_kept_are_few() -> None:
    estimates = Estimates()
    for asked in range(KEPT + 1):
        estimates.learn(Kind(13, asked), Took(1000, 1000))
    of_size = estimates.seconds(Kind(13, -1))
    assert estimates.seconds(Kind(13, 0)) == of_size
    assert estimates.seconds(Kind(13, 1)) != of_size


def test_kind_is_what_is_asked_for_and_about_how_many_bytes() -> None:
    kind = Kind.of(JOB)
    assert Kind.of(JOB._replace(body=bytes(600), received=5.0)) == kind
    for other in (
        JOB._replace(body=bytes(2000)),
        JOB._replace(spec=b'{"op": "pool"}'),
        JOB._replace(answer="avif"),
        JOB._replace(kind="plan"),
    ):
        assert Kind.of(other) != kind
    long = JOB._replace(spec=bytes(SEEN_BYTES))
    assert Kind.of(long) == Kind.of(long._replace(spec=bytes(2 * SEEN_BYTES)))


def test_worker_tells_what_a_job_took() -> None:
    timings = Timing("queue", "", 9.0), Timing("decode", "", 0.25), Timing("step-0", "", 0.5)
    assert took(Result(b"", "image/png", timings), 1, 2.0) == Took(0.75, 0.75)
    assert took(Result(b"", "image/png", timings), 4, 2.0) == Took(0.75, 3.0)
    assert took(Result(b"", "application/json"), 4, 2.0) == Took(0.0, 8.0)
