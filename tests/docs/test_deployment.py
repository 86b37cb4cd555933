"""docs/deployment.md has every setting as the code has it."""

from __future__ import annotations

import re

from docs import settings_table
from service.settings import Settings, variable


def test_table_of_settings_is_current() -> None:
    text = settings_table.PAGE.read_text(encoding="utf-8")
    assert text.count(settings_table.BEGIN) == text.count(settings_table.END) == 1
    assert text == settings_table.page(), "make docs"


def test_table_has_every_setting_with_a_meaning() -> None:
    rows = [line for line in settings_table.table().splitlines() if line.startswith("| `")]
    assert [re.findall(r"`(\w+)`", row)[0] for row in rows] == [variable(name) for name in Settings.model_fields]
    assert all(cell.strip() for row in rows for cell in re.split(r"(?<!\\)\|", row)[1:-1])
