"""docs/licences.md: whole, and nothing in it that the project may not bring along."""

from __future__ import annotations

import re

import pytest
from PIL import features

from release.licences import PAGE, Part, library_of, locked, not_allowed, parts


def rows() -> set[tuple[str, str, str, str]]:
    """Read the table as parts are written."""
    found = set()
    for name, version, licence in re.findall(
        r"^\| (\S.*?) \| (.*?) ?\| (.*?) \|$", PAGE.read_text("utf-8"), re.MULTILINE
    ):
        within, _, library = name.partition(": ")
        found.add((library, "", licence, within) if library else (name.strip("*"), version, licence, ""))
    return found - {("package", "version", "licence", "")}


def test_every_licence_is_allowed() -> None:
    assert {part.name: wanting for part in parts() if (wanting := not_allowed(part.licence))} == {}


def test_the_page_has_every_package_of_the_lock_and_every_library_found() -> None:
    """Wheels for another Python or architecture may have fewer libraries than those that the page was made of."""
    page = rows()
    assert {(name, version) for name, version, _, within in page if not within} == set(locked())
    assert {tuple(part) for part in parts()} - page == set(), "make docs"


def test_optional_library_under_gpl_is_not_there() -> None:
    assert not features.check("libimagequant")


@pytest.mark.parametrize(
    ("expression", "wanting"),
    [
        ("MIT", []),
        ("MIT OR GPL-3.0-only", []),
        ("(MIT OR Apache-2.0) AND Unicode-3.0", []),
        ("MIT AND GPL-3.0-only", ["GPL-3.0-only"]),
        ("(GPL-2.0-only OR AGPL-3.0-only) AND MIT", ["GPL-2.0-only", "AGPL-3.0-only"]),
        ("nothing said", ["nothing said"]),
    ],
)
def test_what_is_not_in_the_list_is_named(expression: str, wanting: list[str]) -> None:
    assert not_allowed(expression) == wanting


def test_an_unknown_library_is_not_allowed() -> None:
    assert not_allowed(Part(*library_of("libnew-1234.so.1")[:1], "", library_of("libnew-1234.so.1")[1]).licence)
