from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

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
import loops_of_a_test
assert loops_of_a_test.double(21) == 42
print(sum(loops_of_a_test.double.stats.cache_hits.values()))
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
    assert not list(tmp_path.rglob("*.nbi"))
    assert hits(tmp_path, USE) == 0
    assert hits(tmp_path, READ_ONLY + USE) == 1
