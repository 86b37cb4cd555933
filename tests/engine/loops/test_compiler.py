from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from numba import types

from service.engine.loops import compiler

MODULE = """
from service.engine.loops.compiler import compiled

@compiled
def double(x):
    return 2 * x
"""

# Run as root, modes do not keep anybody from writing: numba's trial of writing is made to fail instead.
READ_ONLY = """
import tempfile

def refused(*args, **options):
    raise PermissionError

tempfile.TemporaryFile = refused
"""

USE = """
from loops_of_a_test import double
assert double(21) == 42
print(len(double.overloads) - sum(double.stats.cache_misses.values()))
"""


def hits(folder: Path, script: str) -> int:
    """Run a script in a process of its own and count the functions that it found compiled."""
    paths = os.pathsep.join([str(folder), *filter(None, sys.path)])
    environment = {**os.environ, "PYTHONPATH": paths, "NUMBA_CACHE_DIR": ""}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment)
    return int(done.stdout)


def test_what_was_compiled_is_kept_and_found_where_nothing_may_be_written_any_more(tmp_path: Path) -> None:
    (tmp_path / "loops_of_a_test.py").write_text(MODULE)
    assert hits(tmp_path, READ_ONLY + USE) == 0
    assert not list(tmp_path.rglob("*.loop"))
    assert hits(tmp_path, USE) == 0
    assert len(list(tmp_path.rglob("*.loop"))) == 1
    assert hits(tmp_path, READ_ONLY + USE) == 1


def damaged(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


@pytest.mark.parametrize("change", [damaged, lambda content: content[:-1], lambda content: content[:7], lambda _: b""])
def test_damaged_file_is_replaced(change: Callable[[bytes], bytes], tmp_path: Path) -> None:
    (tmp_path / "loops_of_a_test.py").write_text(MODULE)
    assert hits(tmp_path, USE) == 0
    (kept,) = tmp_path.rglob("*.loop")
    kept.write_bytes(change(kept.read_bytes()))
    assert [hits(tmp_path, USE) for _ in range(2)] == [0, 1]
    assert list(kept.parent.glob("*.loop*")) == [kept]


def test_what_is_kept_is_void_for_other_sources_and_another_numba(tmp_path: Path) -> None:
    source = tmp_path / "loops_of_a_test.py"
    source.write_text(MODULE)
    another = "import numba; numba.__version__ = '0'\n"
    assert [hits(tmp_path, script) for script in (USE, another + USE, another + USE, USE, USE)] == [0, 0, 1, 0, 1]
    source.write_text(f"{MODULE}# another\n")
    assert [hits(tmp_path, USE) for _ in range(2)] == [0, 1]
    source.touch()
    assert hits(tmp_path, USE) == 1
    assert len(list(tmp_path.rglob("*.loop"))) == 1


def test_a_part_is_left_as_it_is_for_its_callers(monkeypatch: pytest.MonkeyPatch) -> None:
    """It still calls what it calls: numba has not optimised it. Else compiling would take several times as long."""
    parts: list[Any] = []

    class Noted(compiler.Part):
        def __init__(self) -> None:
            super().__init__()
            parts.append(self)

    monkeypatch.setattr(compiler, "Part", Noted)

    @compiler.compiled
    def innermost(x: int) -> int:
        return 3 * x

    @compiler.compiled
    def inner(x: int) -> int:
        return innermost(x) + 1

    @compiler.compiled
    def outer(x: int) -> int:
        return inner(x) + 1

    loop: Any = outer
    loop.get_call_template([types.int64], {})  # as numba does for a caller
    part = parts[1]
    assert len(list(part.get_defined_functions())) == 2
    assert len(re.findall(r"\bcall .*innermost", part.get_llvm_str())) == 1
