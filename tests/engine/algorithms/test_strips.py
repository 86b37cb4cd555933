from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.engine.algorithms.runs import runs
from service.engine.algorithms.strips import Cut, Layout
from service.engine.loops.sums import TOGETHER

numbers = st.integers(1, 50)


@given(st.integers(1, 3000), numbers, numbers, st.integers(1, 8), st.integers(1, 10**6))
def test_pieces_cover_the_output_once_in_whole_groups_of_rows(
    rows: int, step: int, view: int, apart: int, row_bytes: int
) -> None:
    cut = Cut.of(rows, step, view, apart * step, row_bytes)
    edges = cut.edges().tolist()
    assert (edges[0], edges[-1]) == (0, rows)
    heights = [end - begin for begin, end in pairwise(edges)]
    assert len(heights) == cut.count
    assert min(heights) > 0
    assert all(height == cut.piece for height in heights[:-1])
    assert cut.piece % (TOGETHER * apart) == cut.height % (TOGETHER * apart) == 0
    assert cut.height <= cut.piece
    assert cut.highest == (cut.height - 1) * step + view


@given(st.integers(1, 200), st.integers(1, 5), st.integers(1, 4), st.booleans())
def test_each_sample_of_a_row_has_a_place_of_its_own(width: int, phases: int, channels: int, together: bool) -> None:
    layout = Layout(channels, phases, width, together)
    places = {layout.offset(column, channel) for column in range(width) for channel in range(channels)}
    assert len(places) == width * channels
    assert max(places) < layout.pitch


@given(st.lists(st.sampled_from([0.0, 1.0, 2.0]), max_size=40))
def test_runs_hold_each_tap_once_and_leave_out_zeros_at_most(weights: list[float]) -> None:
    covered = [tap for start, end in runs(tuple(weights)) for tap in range(start, end)]
    assert sorted(set(covered)) == covered
    assert {tap for tap, weight in enumerate(weights) if weight != 0} <= set(covered) <= set(range(len(weights)))


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ((0.0, 1.0, 2.0, 0.0), [(1, 3)]),
        ((1.0, 0.0, 2.0), [(0, 3)]),
        ((1.0, 0.0, 0.0, 2.0, 3.0), [(0, 1), (3, 5)]),
        ((0.0, 0.0), []),
    ],
)
def test_runs_are_cut_where_two_zeros_or_more_stand(
    weights: tuple[float, ...], expected: list[tuple[int, int]]
) -> None:
    assert list(runs(weights)) == expected
