"""The query of POST /v1/figure."""

from __future__ import annotations

import pytest

from service.engine.figures.view import View
from service.routes.errors import InvalidParameter
from service.routes.figures import view_of


@pytest.mark.parametrize(
    ("query", "view"),
    [
        ([], View(animate=True)),
        ([("animate", "false"), ("position", "7")], View(animate=False, position=7)),
        ([("reading", "scatter")], View(reading="scatter")),
    ],
)
def test_query_says_what_is_shown(query: list[tuple[str, str]], view: View) -> None:
    assert view_of(query) == view


@pytest.mark.parametrize(
    ("name", "value"),
    [("animate", "0"), ("reading", "both"), ("position", "-1"), ("position", "٣"), ("position", "1e3")],
)
def test_other_values_are_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        view_of([(name, value)])
    assert caught.value.faults[0].pointer == f"/query/{name}"


@pytest.mark.parametrize("query", [[("animat", "false")], [("animate", "true"), ("animate", "false")]])
def test_unknown_and_repeated_parameters_are_refused(query: list[tuple[str, str]]) -> None:
    with pytest.raises(InvalidParameter):
        view_of(query)
