"""Clients as generators make them of the running service's own document: compiled strictly, then used."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.live import ROOT, Live

REQUIRED = os.environ.get("CONVSERVE_TEST_CLIENTS") == "required"
HERE = Path(__file__).parent
OWN = ROOT / ".venv" / "clients" / "bin"
PATIENCE = 300

Run = Callable[..., str]


def find(tool: str) -> str:
    """Give the path of a tool; without it, skip or, where it is required, fail."""
    path = shutil.which(tool, path=f"{OWN}{os.pathsep}{os.environ['PATH']}")
    if path is None:
        absent(tool)
    assert path is not None
    return path


def absent(tool: str) -> None:
    if REQUIRED:
        pytest.fail(f"CONVSERVE_TEST_CLIENTS is required, and there is no {tool}")
    pytest.skip(f"no {tool}: the tests of generated clients that need it are passed over")


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    """Run a tool to its end, and give what it printed; what it has to say against its input is a failure."""
    done = subprocess.run(
        command, cwd=cwd, env=os.environ | environment, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, f"{command[0]}: {done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture
def document(live: Live, tmp_path: Path) -> Path:
    """Save the document that the service gives of itself."""
    path = tmp_path / "openapi.json"
    path.write_bytes(httpx.get(f"{live.url}/openapi.json", trust_env=False).content)
    return path
