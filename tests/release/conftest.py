"""A checkout of its own for the tests of releases."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMMITTED = "2026-01-02T03:04:05+00:00"


def git(folder: Path, *arguments: str) -> str:
    """Run git with nobody's configuration, as somebody, at a certain time."""
    known = ("-c", "user.name=tests", "-c", "user.email=tests@localhost", "-c", "commit.gpgsign=false")
    times = {"GIT_AUTHOR_DATE": COMMITTED, "GIT_COMMITTER_DATE": COMMITTED, "GIT_CONFIG_GLOBAL": os.devnull}
    command = ["git", *known, "-C", str(folder), *arguments]
    return subprocess.run(command, env=os.environ | times, check=True, capture_output=True, text=True).stdout


def checkout(folder: Path) -> Path:
    """Commit what git knows of this checkout, as it stands now, into a new repository."""
    names = git(ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    git(folder, "init", "--quiet", "--initial-branch", "main")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "A release")
    return folder


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkout(tmp_path_factory.mktemp("clone"))
