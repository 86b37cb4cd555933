"""What warming does with processes; what it compiles, each loop's own test says."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from service.engine.algorithms import warming
from service.engine.machine.compiled import Kit

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
        os._exit(len(double.overloads) - sum(double.stats.cache_misses.values()))
os.close(start)
print(sum(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children))
"""


def note(folder: Path, number: int) -> None:
    (folder / f"{number} {os.getpid()}").touch()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere one process compiles all")
@pytest.mark.parametrize("processes", [1, 2, 5])
def test_every_part_is_run_once_in_some_other_process(processes: int, tmp_path: Path) -> None:
    warming.side_by_side([partial(note, tmp_path, number) for number in range(4)], processes)
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

    warming.side_by_side([fail, end, partial(note, tmp_path, 2)], 3)
    assert [path.name[0] for path in tmp_path.iterdir()] == ["2"]


class Wanting:
    """Kits of which some are kept, and others are from their first run on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, kept: str) -> None:
        self.kept = set(kept)
        self.runs: list[str] = []
        monkeypatch.setattr(warming, "KITS", tuple(Kit(name, 0, partial(self.run, name)) for name in "abc"))
        monkeypatch.setattr(warming, "is_kept", lambda kit: kit.name in self.kept)
        monkeypatch.setattr(warming, "folders", lambda: frozenset([os.devnull]))

    def run(self, name: str) -> None:
        self.runs.append(name)
        self.kept.add(name)


def test_only_what_is_missing_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    kits = Wanting(monkeypatch, kept="b")
    monkeypatch.setattr(warming, "side_by_side", lambda work, processes: None)
    warming.warm(2)
    assert kits.runs == ["a", "c"]
    warming.warm(2)
    assert kits.runs == ["a", "c"]


def test_what_is_compiled_behind_is_told_kit_by_kit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    kits, told = Wanting(monkeypatch, kept="b"), list[tuple[int, int]]()
    monkeypatch.setattr(warming, "folders", lambda: frozenset([str(tmp_path)]))
    monkeypatch.setattr(os, "nice", lambda by: by)
    warming.compile_behind(lambda done, of: told.append((done, of)))
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert kits.runs == ["a", "c"]


def test_what_another_process_has_compiled_is_not_compiled_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kits, told = Wanting(monkeypatch, kept=""), list[tuple[int, int]]()
    monkeypatch.setattr(warming, "folders", lambda: frozenset([str(tmp_path)]))
    monkeypatch.setattr(os, "nice", lambda by: by)

    def report(done: int, of: int) -> None:
        told.append((done, of))
        kits.kept.add("b")

    warming.compile_behind(report)
    assert told == [(0, 3), (2, 3), (3, 3)]
    assert kits.runs == ["a", "c"]


def test_what_serves_every_answer_is_compiled_first() -> None:
    ranks = [kit.rank for kit in warming.KITS]
    assert ranks == sorted(ranks)
    assert {kit.name for kit in warming.KITS if kit.rank == 0} == {"png", "deflate", "convolution int16"}
    assert len({kit.name for kit in warming.KITS}) == len(warming.KITS)


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
