"""What warming does with processes; what it compiles, each loop's own test says."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from service.engine import warm
from service.engine.loops import compiler

FAIL = """
import os, sys
from service.engine.loops import compiler
from service.engine.loops.pixels import pack
import numpy as np

pixels, packed = np.zeros((1, 4), np.uint8), np.zeros((1, 3), np.uint8)
def kept():
    try:
        with compiler.only_what_is_kept():
            pack(pixels, packed)
    except compiler.NotKept:
        return False
    return True

print(kept())
pack(pixels, packed)
print(kept())
"""

LOOP = """
from service.engine.loops.compiler import compiled

@compiled
def double(x):
    return x + x
"""

AT_ONCE = """
import os
import numpy as np
from loops_of_a_test import double

starting, start = os.pipe()
children = []
for kind in ["int8", "uint16", "float32", "float64"]:
    children.append(os.fork())
    if not children[-1]:
        os.close(start)
        os.read(starting, 1)
        assert double(np.ones(2, kind))[1] == 2
        os._exit(sum(double.stats.cache_hits.values()))
os.close(start)
print(sum(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children))
"""


def note(folder: Path, number: int) -> None:
    (folder / f"{number} {os.getpid()}").touch()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere one process compiles all")
@pytest.mark.parametrize("processes", [1, 2, 5])
def test_every_part_is_run_once_in_some_other_process(processes: int, tmp_path: Path) -> None:
    warm.side_by_side([partial(note, tmp_path, number) for number in range(4)], processes)
    numbers, runners = zip(*(path.name.split() for path in tmp_path.iterdir()), strict=True)
    assert sorted(numbers) == ["0", "1", "2", "3"]
    assert str(os.getpid()) not in runners
    assert len(set(runners)) <= processes
    for runner in set(runners):  # none is left, not even as a zombie
        with pytest.raises(ProcessLookupError):
            os.kill(int(runner), 0)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere one process compiles all")
def test_failures_and_ends_in_other_processes_are_left_to_the_caller(tmp_path: Path) -> None:
    def fail() -> None:
        raise RuntimeError

    def end() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    warm.side_by_side([fail, end, partial(note, tmp_path, 2)], 3)
    assert [path.name[0] for path in tmp_path.iterdir()] == ["2"]


def test_only_what_is_missing_is_compiled_and_that_in_other_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, told = list[str](), list[int]()

    def kept() -> None:
        asked.append("kept")

    def missing() -> None:
        asked.append("missing")
        if asked.count("missing") == 1:
            raise compiler.NotKept

    def also_missing() -> None:
        if "also" not in asked:
            asked.append("also")
            raise compiler.NotKept

    monkeypatch.setattr(warm, "PARTS", (kept, missing, also_missing))
    monkeypatch.setattr(warm, "can_be_kept", lambda: True)
    monkeypatch.setattr(warm, "side_by_side", lambda parts, processes: told.extend([len(parts), processes]))
    warm.warm(2)
    assert told == ([2, 2] if sys.platform == "linux" else [])
    assert asked == ["kept", "missing", "also", "missing"]
    told.clear()
    warm.warm(2)
    assert not told


def test_nothing_is_compiled_where_only_what_is_kept_is_asked_for(tmp_path: Path) -> None:
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    done = [
        subprocess.run([sys.executable, "-c", FAIL], capture_output=True, text=True, check=True, env=environment)
        for _ in range(2)
    ]
    assert [process.stdout.split() for process in done] == [["False", "True"], ["True", "True"]]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere one process compiles all")
def test_indexes_are_whole_though_several_processes_add_to_them(tmp_path: Path) -> None:
    """Four processes compile the same loop at once, each for a type of its own."""
    (tmp_path / "loops_of_a_test.py").write_text(LOOP)
    paths = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    environment = {**os.environ, "PYTHONPATH": paths, "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    for found in (0, 4):
        command = [sys.executable, "-c", AT_ONCE]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        assert (done.stdout, done.stderr) == (f"{found}\n", "")
