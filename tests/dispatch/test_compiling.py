"""The process that compiles: begun, followed, begun again, ended. What it compiles here is nothing."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import structlog

from service.dispatch import compiling
from service.dispatch.compiling import Compiling
from tests.processes import gone
from tests.waiting import until

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling, "PAUSES", (0.0, 0.0))


@asynccontextmanager
async def running(script: str) -> AsyncIterator[tuple[Compiling, list[tuple[int, int]]]]:
    """Compile by a script; gives what is told of it so far, too."""
    told: list[tuple[int, int]] = []
    compiler = Compiling(lambda: told.append((compiler.done, compiler.parts)), [sys.executable, "-c", script])
    compiler.begin()
    try:
        yield compiler, told
    finally:
        await compiler.stop()


async def test_progress_is_told_until_all_is_there() -> None:
    async with running("for k in range(4): print(k, 3, flush=True)") as (compiler, told):
        await until(lambda: compiler.finished)
        assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]
        assert not compiler.failed


async def test_other_words_are_passed_over() -> None:
    async with running("print('compiling'); print('1 of 3'); print('2 3')") as (compiler, told):
        await until(lambda: compiler.finished)
        assert told == [(2, 3)]


async def test_process_that_dies_is_begun_again(tmp_path: Path) -> None:
    script = (
        "import os, pathlib\n"
        f"note = pathlib.Path({str(tmp_path / 'note')!r})\n"
        "done = int(note.read_text()) if note.exists() else 0\n"
        "print(done, 9, flush=True)\n"
        "note.write_text(str(done + 1))\n"
        "done == 9 or os.kill(os.getpid(), 9)\n"
    )
    async with running(script) as (compiler, told):
        await until(lambda: compiler.finished)
        assert told[-1] == (9, 9)


async def test_process_that_only_dies_is_given_up() -> None:
    with structlog.testing.capture_logs() as lines:
        async with running("import sys; print('1 3'); sys.exit('no space left')") as (compiler, _):
            await until(lambda: compiler.failed)
    assert [line["event"] for line in lines] == ["compiling_ended"] * 4 + ["compiling_failed"]
    assert lines[0]["last_words"] == "no space left"


async def test_command_that_does_not_exist_is_given_up() -> None:
    compiler = Compiling(lambda: None, ["/nowhere/python"])
    compiler.begin()
    await until(lambda: compiler.failed)


async def test_without_a_compiler_one_line_says_so() -> None:
    with structlog.testing.capture_logs() as lines:
        async with running("import sys; print('no numba', file=sys.stderr); sys.exit(3)") as (compiler, _):
            await until(lambda: compiler.finished)
    assert [line["event"] for line in lines] == ["no_compiler"]
    assert lines[0]["log_level"] == "warning"


async def test_stop_ends_the_process(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    script = f"import os, pathlib; pathlib.Path({str(note)!r}).write_text(str(os.getpid()))\nwhile True: pass"
    async with running(script) as (compiler, _):
        await until(lambda: note.exists() and note.read_text() != "")
        await compiler.stop()
        await until(lambda: gone(int(note.read_text())))


async def test_nothing_is_compiled_that_is_spared() -> None:
    compiler = Compiling(lambda: None, ["/nowhere/python"])
    compiler.spare()
    compiler.begin()
    await asyncio.sleep(0)
    assert compiler.finished
    assert not compiler.failed
