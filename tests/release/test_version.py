"""One version stands everywhere, and its notes come out of the changelog."""

from __future__ import annotations

from pathlib import Path

import pytest

from release import ROOT
from release import version as versions
from release.notes import notes

CHANGELOG = """# Changelog

## 1.1.0

- Second,
  in two lines.

## 1.0.0 - of old

- First.
"""


def test_every_place_has_the_version() -> None:
    assert versions.disagreements() == []
    assert versions.disagreements(f"v{versions.version()}") == []


def test_another_tag_is_refused() -> None:
    (found,) = versions.disagreements("v9.9.9")
    assert "v9.9.9" in found


@pytest.mark.parametrize("file", versions.PLACES)
def test_a_place_left_behind_is_named(file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    right = versions.version()
    for name in ("pyproject.toml", *versions.PLACES):
        text = (ROOT / name).read_text(encoding="utf-8")
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text.replace(right, "0.9.7", 1) if name == file else text, encoding="utf-8")
    monkeypatch.setattr(versions, "ROOT", tmp_path)
    (found,) = versions.disagreements()
    assert file in found
    assert "0.9.7" in found


def test_notes_are_the_section_alone() -> None:
    assert notes("1.1.0", CHANGELOG) == "- Second,\n  in two lines.\n"
    assert notes("1.0.0", CHANGELOG) == "- First.\n"


@pytest.mark.parametrize("version", ["1.1", "2.0.0", "1x1x0"])
def test_a_version_without_a_section_is_refused(version: str) -> None:
    with pytest.raises(SystemExit, match=version):
        notes(version, CHANGELOG)


def test_an_empty_section_is_refused() -> None:
    with pytest.raises(SystemExit, match="is empty"):
        notes("1.1.0", "# Changelog\n\n## 1.1.0\n\n## 1.0.0\n\n- First.\n")


def test_this_version_has_notes() -> None:
    assert notes(versions.version()).startswith("- ")
