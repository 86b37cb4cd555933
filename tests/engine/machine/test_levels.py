from __future__ import annotations

import os
import subprocess
import sys

import pytest

from service.engine.machine import levels

V2 = "cx16 lahf_lm popcnt sse4_1 sse4_2 ssse3"
V3 = f"{V2} abm avx avx2 bmi1 bmi2 f16c fma movbe xsave"
V4 = f"{V3} avx512bw avx512cd avx512dq avx512f avx512vl"

TARGET = """
from service.engine.machine import levels
from service.engine.loops.compiler import LEVEL, compiled

@compiled
def double(x):
    return x + x

double(1)
print(LEVEL, *double.targetctx.codegen().magic_tuple()[1:])
"""


@pytest.mark.parametrize(
    ("features", "names"),
    [
        ("", ()),
        (V2, ("x86-64-v2",)),
        (V3.replace(" bmi2", ""), ("x86-64-v2",)),
        (V3, ("x86-64-v2", "x86-64-v3")),
        (f"{V3} avx512f", ("x86-64-v2", "x86-64-v3")),
        (V4, ("x86-64-v2", "x86-64-v3", "x86-64-v4")),
        (V4.replace("popcnt ", ""), ()),
    ],
)
def test_a_level_needs_its_features_and_those_below(features: str, names: tuple[str, ...]) -> None:
    assert levels.of_features(frozenset(features.split())) == names


def test_the_highest_level_is_used_unless_another_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (levels.NAME, levels.FEATURES):
        monkeypatch.setenv(name, "")
    assert levels.use(None) == levels.highest() == levels.current()
    lowest = levels.available()[0]
    assert levels.use(lowest) == lowest == levels.current()
    assert os.environ[levels.FEATURES] == ""


def test_unknown_and_missing_levels_are_refused_with_what_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(levels, "KNOWN", ("one", "two"))
    monkeypatch.setattr(levels, "available", lambda: ("one",))
    with pytest.raises(ValueError, match=r"'three' is no level of .*; known: one, two"):
        levels.use("three")
    with pytest.raises(ValueError, match="this machine does not have two; it has one"):
        levels.use("two")


@pytest.mark.parametrize("level", levels.available())
def test_loops_are_compiled_for_the_level_and_not_for_the_machine(level: str, tmp_path: object) -> None:
    environment = {
        **os.environ,
        levels.NAME: levels.target(level),
        levels.FEATURES: "",
        "NUMBA_CACHE_DIR": str(tmp_path),
    }
    command = [sys.executable, "-c", TARGET]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.split() == [level, levels.target(level)]
