"""The notes of a release: its section of CHANGELOG.md."""

from __future__ import annotations

import re

from release import ROOT


def notes(version: str, changelog: str | None = None) -> str:
    """Give the text between the heading of this version and the next heading."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8") if changelog is None else changelog
    heading = re.search(rf"^## {re.escape(version)}(?: .*)?$", text, re.MULTILINE)
    if heading is None:
        raise SystemExit(f"CHANGELOG.md has no section ## {version}")
    section = re.split(r"^## ", text[heading.end() :], maxsplit=1, flags=re.MULTILINE)[0].strip()
    if not section:
        raise SystemExit(f"the section ## {version} of CHANGELOG.md is empty")
    return section + "\n"
