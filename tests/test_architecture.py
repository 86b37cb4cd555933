"""Imports point inwards; some packages are known in one place only."""

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
    "service/engine/operations": ["service.engine.algorithms", "service.engine.planner"],
    "service/engine/algorithms": ["service.engine.operations", "service.engine.spec", "service.engine.planner"],
    "service/engine/codecs": ["service.engine.operations", "service.engine.algorithms", "service.engine.steps"],
    "service/engine/loops": ["service.engine.algorithms", "service.engine.codecs", "service.engine.planner"],
}
ONLY_IN = {
    "numba": "service/engine/loops",
    "PIL": "service/engine/codecs",
    "tifffile": "service/engine/codecs",
    "isal": "service/engine/codecs",
    "simplejpeg": "service/engine/codecs/jpeg.py",
    "distributed": "service/dispatch/cluster.py",
    "dask": "service/dispatch/cluster.py",
    "opentelemetry": "service/routes/tracing.py",
}


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
