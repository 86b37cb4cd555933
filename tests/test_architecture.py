"""Imports point inwards; some packages are known in one place only; names and folders hold to their rules."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "service").rglob("*.py"))

MAY_NOT_IMPORT = {
    "service/engine": [
        "service.routes",
        "service.dispatch",
        "service.app",
        "service.settings",
        "service.cli",
        "fastapi",
    ],
    "service/dispatch": ["service.routes", "service.app", "service.settings", "service.cli", "fastapi"],
    "service/routes": ["service.app", "service.cli"],
    "service/engine/operations": ["service.engine.algorithms", "service.engine.jobs"],
    "service/engine/algorithms": ["service.engine.operations", "service.engine.spec", "service.engine.jobs"],
    "service/engine/codecs": [
        "service.engine.operations",
        "service.engine.algorithms",
        "service.engine.steps",
        "service.engine.spec",
        "service.engine.jobs",
    ],
    "service/engine/loops": ["service.engine.algorithms", "service.engine.codecs", "service.engine.jobs"],
    "service/engine/spec": ["service.engine.algorithms", "service.engine.codecs", "service.engine.jobs"],
    "service/engine/steps": [
        "service.engine.operations",
        "service.engine.algorithms",
        "service.engine.codecs",
        "service.engine.spec",
        "service.engine.jobs",
        "service.engine.machine",
    ],
    "service/engine/machine": [
        "service.engine.operations",
        "service.engine.codecs",
        "service.engine.spec",
        "service.engine.steps",
        "service.engine.jobs",
    ],
}
ONLY_IN = {
    "numba": "service/engine/loops",
    "llvmlite": "service/engine/loops",
    "PIL": "service/engine/codecs",
    "tifffile": "service/engine/codecs",
    "isal": "service/engine/codecs",
    "simplejpeg": "service/engine/codecs/jpeg.py",
    "oxipng": "service/engine/codecs/png_search.py",
    "distributed": "service/dispatch/cluster.py",
    "dask": "service/dispatch/cluster.py",
    "opentelemetry": "service/routes/tracing.py",
}

MOST_ENTRIES = 10
LAYERS = {"operations", "steps", "algorithms", "loops", "codecs", "figures"}
"""Folders of the engine in which one name may stand for one thing, seen at another layer each time."""
SAME_EVERYWHERE = {"__init__.py", "base.py", "errors.py"}


@cache
def imports(source: Path) -> list[str]:
    names: list[str] = []
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return names


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


@pytest.mark.parametrize("folder", MAY_NOT_IMPORT)
def test_imports_point_inwards(folder: str) -> None:
    offences = [
        f"{source.relative_to(ROOT)} imports {name}"
        for source in SOURCES
        if source.is_relative_to(ROOT / folder)
        for name in imports(source)
        for package in MAY_NOT_IMPORT[folder]
        if within(name, package) and not within(name, folder.replace("/", "."))
    ]
    assert not offences


@pytest.mark.parametrize("package", ONLY_IN)
def test_package_is_known_in_one_place(package: str) -> None:
    offences = [
        str(source.relative_to(ROOT))
        for source in SOURCES
        if not source.is_relative_to(ROOT / ONLY_IN[package])
        if any(within(name, package) for name in imports(source))
    ]
    assert not offences


def test_engine_has_at_most_ten_entries_at_its_top() -> None:
    entries = {entry.name for entry in (ROOT / "service/engine").iterdir()} - {"__init__.py", "__pycache__", "py.typed"}
    assert len(entries) <= MOST_ENTRIES, sorted(entries)


def test_files_of_one_name_hold_one_sort_of_thing() -> None:
    folders: dict[str, set[str]] = {}
    for source in SOURCES:
        inner = source.relative_to(ROOT / "service").parts
        layer = "engine" if inner[0] == "engine" and inner[1] in LAYERS else "/".join(inner[:-1])
        folders.setdefault(source.name, set()).add(layer)
    offences = {name: found for name, found in folders.items() if len(found) > 1 and name not in SAME_EVERYWHERE}
    assert not offences
