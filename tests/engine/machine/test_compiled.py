"""What a process does with loops that are there, are not there yet, or never will be."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from service.engine.algorithms import with_loops
from service.engine.machine import compiled, levels
from tests.floors import needs_loops

GROUND = """
import sys
import numpy as np
from service.engine.machine import compiled
from service.engine import filter_image
from service.engine.algorithms import usable
from service.engine.algorithms.ground import GROUND

def sharpen():
    image = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    spec = {"op": "conv", "kernel": "sharpen", "padding": "same", "padding_mode": "reflect"}
    assert filter_image(image, spec).shape == (4, 4, 3)
"""

NOTHING_KEPT = (
    GROUND
    + """
compiled.load()
assert compiled.share() == 0 and usable() == GROUND
sharpen()
assert not list(__import__("pathlib").Path(sys.argv[1]).rglob("*.loop")), "something was compiled"
"""
)

NO_NUMBA = (
    "import sys; sys.modules['numba'] = None"
    + GROUND
    + """
compiled.load()
assert compiled.share() == 0 and usable() == GROUND
sharpen()
"""
)

NEVER_WANTED = """
import sys
from time import perf_counter
from service.engine.jobs import Job
from service.engine.machine.limits import Limits
from service.engine.jobs.pipeline import perform
from service.routes.sample import SAMPLE_PNG

job = Job("filter", SAMPLE_PNG, Limits(), perf_counter(), "image", b'{"op": "sharpen"}')
assert perform(job, 2).media_type == "image/png"
assert "numba" not in sys.modules and "llvmlite" not in sys.modules
"""

ONE_KIT = """
import sys
import numpy as np
from service.engine.machine import compiled
from service.engine.algorithms import with_loops
from service.engine.loops.compiler import only_what_is_kept
from tests.engine.algorithms.each import one_of_each

name = sys.argv[1]
compiled.load({name})
tried = set()
for task, image in one_of_each():
    for algorithm in with_loops():
        if algorithm.accepts(task) and set(algorithm.needs(task)) == {name}:
            with only_what_is_kept():
                algorithm.apply(task, image, 2)
            tried.add(algorithm.name)
assert tried, "no task needs this kit alone"
"""

SEEN = """
from service.engine.algorithms import warming

print(*(kit.name for kit in warming.KITS if warming.is_kept(kit)))
"""


def run(script: str, *arguments: str, **environment: str) -> str:
    command = [sys.executable, "-W", "error", "-c", script, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_without_loops_on_disk_everything_is_done_on_the_ground_floor(tmp_path: Path) -> None:
    run(NOTHING_KEPT, str(tmp_path), NUMBA_CACHE_DIR=str(tmp_path))


def test_without_numba_everything_is_done_on_the_ground_floor() -> None:
    run(NO_NUMBA)


def test_who_does_not_ask_for_loops_does_not_import_numba() -> None:
    run(NEVER_WANTED)


@needs_loops
def test_all_loops_are_loaded_here() -> None:
    assert compiled.share() == 1


@needs_loops
@pytest.mark.parametrize("kit", sorted({kit.name for algorithm in with_loops() for kit in algorithm.kits}))
def test_an_algorithm_calls_the_loops_that_it_says_it_needs_and_no_others(kit: str) -> None:
    run(ONE_KIT, kit)


@needs_loops
@pytest.mark.parametrize("level", levels.available())
def test_loops_that_are_compiled_by_their_signatures_alone_are_found_by_a_machine_that_runs_them(
    level: str, tmp_path: Path
) -> None:
    from service.engine.loops import png  # noqa: PLC0415 -- not on the ground floor

    filter_rows: Any = png.filter_rows
    listed = pickle.dumps([(png.__name__, "filter_rows", filter_rows.signatures)])
    there = {levels.NAME: levels.target(level), levels.FEATURES: "", "NUMBA_CACHE_DIR": str(tmp_path)}
    assert run(SEEN, **there).split() == []
    command = [sys.executable, "-m", "service.engine.algorithms.compile_unseen"]
    subprocess.run(command, input=listed, check=True, env=os.environ | there)
    assert run(SEEN, **there).split() == ["png"]
