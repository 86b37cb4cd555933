"""Wheel and sdist: the same bytes each time, and whole."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

from release.packages import build
from release.version import version
from tests.release.conftest import ROOT, checkout, git


@pytest.fixture(scope="module")
def built(clone: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return build(tmp_path_factory.mktemp("built"), clone)


def test_two_builds_are_the_same_bytes(
    built: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """Build another checkout, in another time zone, as somebody whose new files are for nobody else."""
    other = checkout(tmp_path / "other" / "place")
    for path in other.rglob("*.py"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    monkeypatch.setenv("LC_ALL", "C")
    old = os.umask(0o077)
    request.addfinalizer(lambda: os.umask(old))
    again = build(tmp_path / "again", other)
    assert [path.name for path in again] == [path.name for path in built]
    for one, two in zip(built, again, strict=True):
        assert one.read_bytes() == two.read_bytes(), one.name


def test_what_is_not_committed_is_not_in_them(tmp_path: Path, clone: Path, built: list[Path]) -> None:
    (clone / "service" / "stray.py").write_text("raise SystemExit\n", encoding="utf-8")
    try:
        again = build(tmp_path, clone)
    finally:
        (clone / "service" / "stray.py").unlink()
    assert again[1].read_bytes() == built[1].read_bytes()


def test_both_have_every_file_of_the_service(clone: Path, built: list[Path]) -> None:
    files = {name for name in git(clone, "ls-files", "service").split("\n") if name}
    sdist, wheel = built
    assert files <= set(zipfile.ZipFile(wheel).namelist())
    with tarfile.open(sdist) as archive:
        members = {member.name.partition("/")[2]: member for member in archive}
    assert files | {"pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "SECURITY.md"} <= members.keys()
    assert not [name for name in members if name.startswith("tests")]
    assert {(member.uid, member.uname, member.mode & 0o022) for member in members.values()} == {(0, "", 0)}


def test_metadata_names_version_licence_and_python(built: list[Path]) -> None:
    with zipfile.ZipFile(built[1]) as wheel:
        text = wheel.read(f"convserve-{version()}.dist-info/METADATA").decode()
    metadata = Parser().parsestr(text, headersonly=True)
    assert metadata["Version"] == version()
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.11"


def test_the_wheel_runs_without_the_checkout(built: list[Path], tmp_path: Path) -> None:
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(tmp_path)]
    subprocess.run([*install, str(built[1])], check=True, timeout=120)
    command = [sys.executable, "-m", "service", "run", str(ROOT / "docs" / "pictures" / "cat.jpg"), "out.png"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CONVSERVE_")}
    environment |= {"PYTHONPATH": str(tmp_path), "CONVSERVE_COMPILE": "off"}
    subprocess.run([*command, "--preset", "sobel"], cwd=tmp_path, env=environment, check=True, timeout=120)
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")
    printed = subprocess.run(
        [sys.executable, "-m", "service", "version"], cwd=tmp_path, env=environment, check=True, capture_output=True
    )
    assert printed.stdout.decode() == f"convserve {version()}\n"
