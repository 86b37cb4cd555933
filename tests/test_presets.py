"""Presets of the operator: checked at the start, and every faulty entry is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from service.engine.machine.limits import Limits
from service.presets import load
from service.settings import BadSettings


def test_file_adds_to_the_built_in_ones(tmp_path: Path) -> None:
    path = tmp_path / "presets.json"
    path.write_text(json.dumps({"my-blur": {"op": "blur", "sigma": 3}}), encoding="utf-8")
    presets = load(path, Limits())
    assert presets["my-blur"].spec == {"op": "blur", "sigma": 3}
    assert json.loads(presets["my-blur"].text) == {"op": "blur", "sigma": 3}
    assert presets.keys() > load(None, Limits()).keys()


def test_every_faulty_entry_is_named(tmp_path: Path) -> None:
    path = tmp_path / "presets.json"
    entries = {"good": {"op": "blur", "sigma": 3}, "bad": {"op": "blur", "sigmma": 3}, "Bad Name": {}, "sobel": {}}
    path.write_text(json.dumps(entries), encoding="utf-8")
    with pytest.raises(BadSettings) as caught:
        load(path, Limits())
    text = str(caught.value)
    assert len(caught.value.faults) == 3
    assert all(fault.startswith("CONVSERVE_PRESETS: ") for fault in caught.value.faults)
    assert "'bad': /sigmma" in text
    assert "'Bad Name'" in text
    assert "'sobel'" in text


@pytest.mark.parametrize("content", [b"[]", b"{", b"\xff", b'{"a": 1, "a": 1}', None])
def test_faulty_file_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "presets.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadSettings, match=r"CONVSERVE_PRESETS is .*presets\.json"):
        load(path, Limits())
