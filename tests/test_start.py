"""How a service starts: ready when its workers are right, compiled or not, and ended at any moment."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.routes.sample import SAMPLE_PNG
from tests.live import ROOT, Live, free_port, serving
from tests.processes import catches, children, gone, workers_of
from tests.waiting import wait_until as until

PRETENCE = Path(__file__).parent / "pretence"
PROMPT = 10.0
"""Seconds within which a signal must have been obeyed on any machine; it takes a fraction of one."""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")


def pretend(monkeypatch: pytest.MonkeyPatch, word: str) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(PRETENCE), str(ROOT)]))
    monkeypatch.setenv("PRETENCE", word)


@pytest.fixture
def loops(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    """Let a server pretend; gives what says how many parts are on disk."""
    note = tmp_path / "loops"
    pretend(monkeypatch, "loops")
    monkeypatch.setenv("PRETENDED_LOOPS", str(note))

    def say(state: str) -> None:
        (tmp_path / "new").write_text(state, encoding="ascii")
        (tmp_path / "new").rename(note)

    say("0 10")
    return say


@contextmanager
def begun(folder: Path, **settings: object) -> Iterator[Live]:
    """Begin to serve, whatever becomes of that."""
    port = free_port()
    clean = {name: value for name, value in os.environ.items() if not name.startswith("CONVSERVE_")}
    given = {f"CONVSERVE_{name.upper()}": str(value) for name, value in settings.items()}
    log = folder / "server.log"
    with log.open("w", encoding="utf-8") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "service", "serve", "--port", str(port)],
            cwd=ROOT,
            env={**clean, **given},
            stderr=stderr,
            stdout=subprocess.DEVNULL,
            text=True,
        )
    try:
        yield Live(f"http://127.0.0.1:{port}", process, log)
    finally:
        process.kill()
        process.wait()


def ready(server: Live) -> tuple[int, dict[str, Any]]:
    """Ask /readyz, as soon as anything listens."""
    answer: list[httpx.Response] = []

    def asked() -> bool:
        with suppress(httpx.TransportError):
            answer[:] = [httpx.get(f"{server.url}/readyz", trust_env=False)]
        return bool(answer)

    until(asked)
    return answer[0].status_code, answer[0].json()


def compiled(server: Live) -> float:
    share: float = ready(server)[1]["engine"]["compiled"]
    return share


def filtered(server: Live) -> int:
    spec = {"spec": json.dumps({"op": "blur", "sigma": 2})}
    raw = {"Content-Type": "image/png"}
    return httpx.post(
        f"{server.url}/v1/filter", params=spec, content=SAMPLE_PNG, headers=raw, trust_env=False
    ).status_code


def compilers(server: int) -> list[int]:
    """Find the processes of a server that compile."""
    return [pid for pid, command in commands(server).items() if b"--progress" in command]


def test_service_is_ready_while_loops_are_compiled_and_uses_them_as_they_come(
    tmp_path: Path, loops: Callable[[str], None]
) -> None:
    with serving(tmp_path, workers=2) as server:
        assert compiled(server) == 0
        assert len(compilers(server.process.pid)) == 1
        for done in (3, 7, 10):
            loops(f"{done} 10")
            until(lambda share=done / 10: compiled(server) == share)  # type: ignore[misc]
            assert filtered(server) == 200
        assert "convserve_compiled_ratio 1.0" in httpx.get(f"{server.url}/metrics", trust_env=False).text
        version = httpx.get(f"{server.url}/version", trust_env=False).json()
        assert version["engine"]["compiled"] == 1
        assert version["engine"]["level"]
        until(lambda: not compilers(server.process.pid))


def test_nothing_is_compiled_where_all_is_there(tmp_path: Path, loops: Callable[[str], None]) -> None:
    loops("10 10")
    with serving(tmp_path, workers=1) as server:
        assert compiled(server) == 1
        assert not compilers(server.process.pid)


def test_with_before_the_service_is_ready_when_all_is_compiled(tmp_path: Path, loops: Callable[[str], None]) -> None:
    with begun(tmp_path, workers=2, compile="before") as server:
        until(lambda: "compiling the loops: 0 of 10" in ready(server)[1].get("detail", ""))
        loops("9 10")
        until(lambda: "compiling the loops: 9 of 10" in ready(server)[1].get("detail", ""))
        assert ready(server)[0] == 503
        loops("10 10")
        until(lambda: ready(server)[0] == 200)
        assert compiled(server) == 1


def test_with_off_nothing_is_compiled_and_nothing_used(tmp_path: Path, loops: Callable[[str], None]) -> None:
    loops("5 10")
    with serving(tmp_path, workers=1, compile="off") as server:
        assert filtered(server) == 200
        assert compiled(server) == 0
        assert not compilers(server.process.pid)


def test_compiling_that_is_killed_is_begun_again(tmp_path: Path, loops: Callable[[str], None]) -> None:
    with serving(tmp_path, workers=1) as server:
        until(lambda: len(compilers(server.process.pid)) == 1)
        (first,) = compilers(server.process.pid)
        os.kill(first, signal.SIGKILL)
        loops("10 10")
        until(lambda: compiled(server) == 1)
    assert "compiling_ended" in server.log.read_text(encoding="utf-8")


def test_compiling_ends_with_a_server_that_is_killed(tmp_path: Path, loops: Callable[[str], None]) -> None:
    with begun(tmp_path, workers=1) as server:
        until(lambda: len(compilers(server.process.pid)) == 1)
        (compiler,) = compilers(server.process.pid)
        server.process.kill()
        until(lambda: gone(compiler))


def test_without_numba_the_service_works_and_says_so_once(tmp_path: Path, loops: Callable[[str], None]) -> None:
    loops("0 10")
    with serving(tmp_path, workers=2) as server:
        loops("no numba")
        until(lambda: "no_compiler" in server.log.read_text(encoding="utf-8"))
        assert filtered(server) == 200
        assert compiled(server) == 0
    assert server.log.read_text(encoding="utf-8").count("no_compiler") == 1


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("absent", "the engine cannot be imported"),
        ("wrong", "the engine answers its test picture wrongly"),
        ("fatal", "the engine ends the process that loads it"),
    ],
)
def test_service_whose_engine_is_broken_is_not_ready_and_says_why(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, word: str, reason: str
) -> None:
    pretend(monkeypatch, word)
    with begun(tmp_path, workers=2) as server:
        until(lambda: reason in ready(server)[1].get("detail", ""))
        assert ready(server)[0] == 503
        until(lambda: server.log.read_text(encoding="utf-8").count("worker_start_failed") > 0)
        time.sleep(0.5)  # for a second try
        log = server.log.read_text(encoding="utf-8")
    assert log.count("worker_start_failed") == 1
    assert log.count("Traceback") == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("moment", ["at once", "importing", "listening", "compiling"])
def test_signal_is_obeyed_at_any_moment_of_a_start(
    tmp_path: Path, loops: Callable[[str], None], number: signal.Signals, moment: str
) -> None:
    with begun(tmp_path, workers=2) as server:
        match moment:
            case (
                "at once"
            ):  # before that it is Python alone, which may lose Ctrl-C in the midst of an import of its own
                until(lambda: catches(server.process.pid, signal.SIGTERM))
            case "importing":
                until(lambda: b"service.dispatch.preload" in b"".join(commands(server.process.pid).values()))
            case "listening":
                ready(server)
            case "compiling":
                until(lambda: len(compilers(server.process.pid)) == 1)
        family = children(server.process.pid)
        server.process.send_signal(number)
        assert server.process.wait(PROMPT) in (0, -number)
        until(lambda: all(gone(pid) for pid in family))
    log = server.log.read_text(encoding="utf-8")
    assert "Traceback" not in log


def test_second_signal_ends_at_once_what_is_still_starting(tmp_path: Path, loops: Callable[[str], None]) -> None:
    with begun(tmp_path, workers=2, grace=1000) as server:
        ready(server)
        server.process.send_signal(signal.SIGTERM)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(PROMPT) == 0


def commands(server: int) -> dict[int, bytes]:
    """Give the command lines of the processes below a server."""
    found = {}
    for pid in children(server):
        with suppress(OSError):
            found[pid] = Path(f"/proc/{pid}/cmdline").read_bytes()
    return found


def test_worker_that_is_made_later_inherits_what_was_compiled(tmp_path: Path, loops: Callable[[str], None]) -> None:
    """The fork server loads it once for all; its loads are noted by the pretence."""
    with serving(tmp_path, workers=1) as server:
        loops("10 10")
        until(lambda: compiled(server) == 1)
        (worker,) = workers_of(server.process.pid)
        stat = Path(f"/proc/{worker}/stat").read_text(encoding="ascii")
        fork_server = int(stat.rpartition(") ")[2].split()[1])
        note = tmp_path / f"loops.{fork_server}"
        until(lambda: note.exists() and note.read_text(encoding="ascii") == "10 10")
        os.kill(worker, signal.SIGKILL)
        assert filtered(server) == 200
        assert workers_of(server.process.pid) != [worker]
        assert compiled(server) == 1
