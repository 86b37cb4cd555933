"""The table of settings in docs/deployment.md, written from the settings themselves."""

from __future__ import annotations

from pathlib import Path

from service.settings import Settings, variable

PAGE = Path(__file__).parent / "deployment.md"
BEGIN, END = "<!-- settings: made by `make docs` -->", "<!-- settings: end -->"
VARIES = {
    "servers": "one for each eight cores",
    "workers": "the cores available",
    "max_memory_bytes": "`4294967296`, less if memory is short",
    "max_bodies_bytes": "`536870912`, less if memory is short",
}


def table() -> str:
    """Return a row for each setting: variable, default, allowed values, meaning."""
    rows = ["| variable | default | must be | meaning |", "|---|---|---|---|"]
    for name, field in Settings.model_fields.items():
        extra = field.json_schema_extra
        expects = str(extra["expects"]) if isinstance(extra, dict) else ""
        cells = (f"`{variable(name)}`", VARIES.get(name) or shown(field.default), expects, str(field.description))
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(rows)


def shown(value: object) -> str:
    """Write a default so that it can be copied into the environment."""
    if value is None or value in ((), ""):
        return "not set"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def page() -> str:
    """Return the page with a current table."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}"
