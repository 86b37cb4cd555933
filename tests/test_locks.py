"""The locks: each is whole for every Python and architecture, agrees with the others, and names no registry."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
BUILD: list[str] = PROJECT["build-system"]["requires"]
EXTRAS: dict[str, list[str]] = PROJECT["project"]["optional-dependencies"]
LOCKS = {
    "requirements.lock": [],
    "requirements-extras.lock": ["dask", "tracing"],
    "requirements-dev.lock": ["dask", "tracing", "docs", "dev"],
}
"""What each has beside the dependencies proper: names of extras."""
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
ENVIRONMENTS = tuple(product(PYTHONS, ("x86_64", "aarch64")))


def entries(lock: str) -> list[tuple[Requirement, list[str]]]:
    """Read a lock as requirements, with the hashes of each."""
    lines = (ROOT / lock).read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    parts = [line.split("--hash=") for line in lines]
    return [(Requirement(requirement), [digest.strip() for digest in hashes]) for requirement, *hashes in parts]


def pins(lock: str, python: str, machine: str) -> dict[str, str]:
    """Give the versions that a lock has for a Python on Linux; no package may stand there twice."""
    where = {
        "python_version": python,
        "python_full_version": f"{python}.9",
        "platform_machine": machine,
        "sys_platform": "linux",
        "platform_system": "Linux",
        "os_name": "posix",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
    }
    held = [entry for entry, _ in entries(lock) if entry.marker is None or entry.marker.evaluate(dict(where))]
    versions: dict[str, str] = {
        canonicalize_name(entry.name): str(entry.specifier).removeprefix("==") for entry in held
    }
    assert len(versions) == len(held)
    return versions


def wanted(extras: list[str]) -> list[Requirement]:
    """List what pyproject.toml asks for, its extras by name only where they are its own."""
    lines = [*BUILD, *PROJECT["project"]["dependencies"], *(line for extra in extras for line in EXTRAS[extra])]
    return [requirement for requirement in map(Requirement, lines) if requirement.name != "convserve"]


@pytest.mark.parametrize("lock", LOCKS)
def test_each_version_is_exact_and_has_a_hash(lock: str) -> None:
    for requirement, hashes in entries(lock):
        assert re.fullmatch(r"==[0-9][\w.]*", str(requirement.specifier)), requirement
        assert hashes, requirement
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", digest) for digest in hashes)


@pytest.mark.parametrize("lock", LOCKS)
def test_no_place_of_a_registry_is_named(lock: str) -> None:
    assert all(requirement.url is None for requirement, _ in entries(lock))
    assert not re.search(r"://|--(?!hash=)[a-z]", (ROOT / lock).read_text(encoding="utf-8"))


@pytest.mark.parametrize(("python", "machine"), ENVIRONMENTS)
@pytest.mark.parametrize("lock", LOCKS)
def test_what_the_project_asks_for_is_there_within_its_bounds(lock: str, python: str, machine: str) -> None:
    held = pins(lock, python, machine)
    for requirement in wanted(LOCKS[lock]):
        assert requirement.specifier.contains(held[canonicalize_name(requirement.name)]), requirement


@pytest.mark.parametrize(("python", "machine"), ENVIRONMENTS)
def test_the_locks_agree(python: str, machine: str) -> None:
    smaller, larger, largest = (pins(lock, python, machine).items() for lock in LOCKS)
    assert smaller < larger < largest


def test_every_dependency_has_a_lower_bound() -> None:
    for requirement in wanted(list(EXTRAS)):
        assert {specifier.operator for specifier in requirement.specifier} & {">=", "=="}, requirement


def modules() -> Iterator[str]:
    """Give the names of packages that the code imports."""
    for path in (path for folder in ("service", "tests", "docs", "release") for path in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Import):
                yield from (alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield node.module.partition(".")[0]


def test_what_is_imported_is_asked_for() -> None:
    asked = {canonicalize_name(requirement.name) for requirement in wanted(list(EXTRAS))}
    exact = {
        "pydantic_core": "pydantic",
        "llvmlite": "numba",
        "dask": "distributed",
    }  # which name the version that fits
    known = packages_distributions()
    foreign = set(modules()) - sys.stdlib_module_names - {"service", "tests", "docs", "release"}
    installed = {exact.get(module, module) for module in foreign} & known.keys()  # of the extras, what is there
    assert installed >= {"numpy", "fastapi", "numba", "pytest"}
    for module in installed:
        assert asked & {canonicalize_name(name) for name in known[module]}, module


def test_the_workflow_and_make_try_every_python() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
    tried = {(entry["python"], entry["runner"]) for entry in workflow["jobs"]["test"]["strategy"]["matrix"]["include"]}
    assert {python for python, _ in tried} == set(PYTHONS)
    assert {python for python, runner in tried if runner.endswith("-arm")} == {PYTHONS[0], PYTHONS[-1]}
    assert f"PYTHONS := {' '.join(PYTHONS)}\n" in (ROOT / "Makefile").read_text(encoding="utf-8")
    assert PROJECT["project"]["requires-python"] == f">={PYTHONS[0]}"
