"""The targets hold for every seed and for changes of them; and the fuzzer finds a promise that is broken."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz import seeds
from tests.fuzz.__main__ import NAMES
from tests.fuzz.changes import changed
from tests.fuzz.targets import TARGETS, laid_open, png_of, read

ROOT = Path(__file__).parents[2]
DRAWN = settings(max_examples=250, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


def test_each_target_has_seeds() -> None:
    assert set(NAMES) == TARGETS.keys() == seeds.SEEDS.keys()


@pytest.mark.parametrize("target", NAMES)
def test_seeds_keep_every_promise(target: str) -> None:
    found = seeds.small(target)
    assert len(found) >= 50
    for seed in found:
        TARGETS[target](seed)


@pytest.mark.parametrize("target", NAMES)
def test_changes_of_seeds_keep_every_promise(target: str) -> None:
    tried = []

    @given(changed(seeds.small(target)))
    @DRAWN
    def check(data: bytes) -> None:
        tried.append(data)
        TARGETS[target](data)

    check()
    assert len(set(tried)) > 100


@given(st.binary(max_size=200))
@DRAWN
def test_any_bytes_keep_every_promise(data: bytes) -> None:
    for target in TARGETS.values():
        target(data)


def test_a_laid_open_png_becomes_the_same_picture() -> None:
    """Else the fuzzer would change nothing but refusals; of files whose checksums are right."""
    files = [seed[1:] for seed in seeds.small("png") if seed.startswith(b"c") and png_of(seed) == seed[1:]]
    whole = [(file, opened) for file in files if (opened := laid_open(file)) and read(file) is not None]
    assert len(whole) >= 20
    for file, opened in whole:
        again = read(png_of(opened))
        first = read(file)
        assert again is not None
        assert first is not None
        assert again.tobytes() == first.tobytes()


@pytest.mark.parametrize(
    "data",
    [
        b"multipart/form-data; boundary=xx\n--xx\r\nA: b\nc: d\r\n",
        b"multipart/form-data; boundary=xx\n-bibinary/-bibinary/oet-stream--xx\r\n",
        b"multipart/form-data; boundary=xx\nbefore--xx\r\n--xx\r\n",
    ],
)
def test_a_form_is_read_alike_however_it_is_cut(data: bytes) -> None:
    part = b'Content-Disposition: form-data; name="%s"\r\n\r\nx\r\n--xx'
    TARGETS["form"](data + part % b"image" + b"\r\n" + part % b"spec" + b"--\r\n")


def test_a_broken_promise_is_found_and_kept(tmp_path: Path) -> None:
    """A planted one: one byte in eight breaks it where it is the last."""
    planted = (
        "from tests.fuzz import targets\n"
        "right = targets.TARGETS['npy']\n"
        "def wrong(data):\n"
        "    right(data)\n"
        "    assert not data or data[-1] % 8 != 7, 'planted'\n"
        "targets.TARGETS['npy'] = wrong\n"
        "from tests.fuzz.__main__ import main\n"
        "main(['npy', '--minutes', '5', '--by', 'hypothesis'])\n"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT), "CONVSERVE_COMPILE": "off"}
    command = [sys.executable, "-c", planted]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "planted" in done.stderr
    kept = (tmp_path / "build" / "fuzz" / "npy" / "broken" / "hypothesis").read_bytes()
    assert kept[-1] % 8 == 7
    TARGETS["npy"](kept)
