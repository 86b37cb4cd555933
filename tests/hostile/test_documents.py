"""docs/problems.md is current, and what docs/security.md cites is there."""

from __future__ import annotations

import re
from pathlib import Path

from docs import problems
from service.routes.problem_table import KINDS

ROOT = Path(__file__).parents[2]


def test_problems_are_documented_as_they_are() -> None:
    written = problems.PAGE.read_text(encoding="utf-8")
    assert written == problems.document(), "run python -m docs.problems"
    assert re.findall(r"^## (\w+)$", written, re.MULTILINE) == list(KINDS)


def test_every_threat_is_numbered_and_names_a_test_that_is_there() -> None:
    text = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    threats = re.split(r"^(\d+)\. ", text, flags=re.MULTILINE)[1:]
    assert [int(number) for number in threats[::2]] == list(range(1, len(threats) // 2 + 1))
    for threat in threats[1::2]:
        cited = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", threat)
        assert cited, threat
        for file, name in cited:
            assert f"def {name}(" in (ROOT / file).read_text(encoding="utf-8"), f"{file}::{name}"
