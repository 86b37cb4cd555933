"""A real server process with real workers, for tests over the network.

The fixture `live` is known everywhere (conftest.py); `serving` gives a server with settings of its own.
"""

from __future__ import annotations

import os
import queue
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import httpx
import pytest

from tests.waiting import FIRST_START, wait_until

ROOT = Path(__file__).parent.parent


FLOOR = {"CONVSERVE_CPU", "CONVSERVE_COMPILE"}
"""Settings of the tests themselves, which hold for their servers, too: see conftest.py."""


@dataclass(frozen=True)
class Live:
    """A server: its address, its process, and where its log goes."""

    url: str
    process: subprocess.Popen[str]
    log: Path


@contextmanager
def serving(folder: Path, *arguments: str, shell: str = "", **settings: object) -> Iterator[Live]:
    """Run `convserve serve` on a free port with the given settings (`grace=1`), ready; ends it afterwards.

    `shell` is a command for what the server inherits, such as `ulimit -v 2000000`.
    """
    others = {name for name in os.environ if name == "PORT" or name.startswith("CONVSERVE_")} - FLOOR
    clean = {name: value for name, value in os.environ.items() if name not in others}
    given = {f"CONVSERVE_{name.upper()}": str(value) for name, value in settings.items()}
    command = [sys.executable, "-m", "service", "serve", "--port", "0", *arguments]
    log = folder / "server.log"
    with log.open("w", encoding="utf-8") as stderr:
        process = subprocess.Popen(
            ["sh", "-c", f'{shell}\nexec "$@"', "sh", *command],
            cwd=ROOT,
            env={**clean, **given},
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
    try:
        url = _root(process, log)
        assert httpx.get(f"{url}/readyz", trust_env=False).status_code == 200
        yield Live(url, process, log)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        finally:
            process.kill()
            process.communicate()


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """Give the one server that tests share; however slow the machine, it refuses and ends nothing for its time."""
    with serving(tmp_path_factory.mktemp("live"), workers=2, max_wait=3600, deadline=3600) as server:
        yield server


def free_port() -> int:
    """Find a port that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until_ready(url: str, process: subprocess.Popen[Any]) -> None:
    """Wait until a server at a known address takes work."""

    def is_ready() -> bool:
        assert process.poll() is None, f"the server at {url} ended with {process.poll()}"
        with suppress(httpx.TransportError):
            return httpx.get(f"{url}/readyz", trust_env=False).status_code == 200
        return False

    wait_until(is_ready, FIRST_START)


def _root(process: subprocess.Popen[str], log: Path) -> str:
    """Wait for the address that the server prints when it is ready."""
    assert process.stdout
    lines: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_pass_on, args=(process.stdout, lines), daemon=True).start()
    while line := lines.get(timeout=FIRST_START):
        name, _, address = line.strip().partition(" ")
        if name == "root":
            return address.strip().rstrip("/")
    raise AssertionError(f"the server ended before it was ready:\n{log.read_text(encoding='utf-8')}")


def _pass_on(stream: IO[str], lines: queue.Queue[str]) -> None:
    for line in stream:
        lines.put(line)
    lines.put("")
