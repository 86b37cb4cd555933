"""The named specs: those built in, and those in the file that CONVSERVE_PRESETS names."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from service.engine.errors import EngineError
from service.engine.machine.limits import Limits
from service.engine.spec import built_in_presets as built_in
from service.engine.spec.spec import parse
from service.engine.spec.strict_json import loads
from service.settings import BadSettings

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_VARIABLE = "CONVSERVE_PRESETS"


@dataclass(frozen=True)
class Preset:
    """A named spec; `text` is the spec in the form that a job takes."""

    name: str
    summary: str
    spec: Any
    text: bytes

    def document(self) -> dict[str, Any]:
        return {"name": self.name, "summary": self.summary, "spec": self.spec}


def load(path: Path | None, limits: Limits) -> Mapping[str, Preset]:
    """Gather all presets by name; raises BadSettings naming every faulty entry of the file."""
    presets = {name: _preset(name, summary, spec) for name, (summary, spec) in built_in.PRESETS.items()}
    if path is None:
        return presets
    faults: list[str] = []
    for name, spec in _read(path).items():
        fault = _fault(name, spec, limits, taken=name in presets)
        if fault:
            faults.append(f"{_VARIABLE}: {fault}")
        else:
            presets[name] = _preset(name, "Added by this service's operator.", spec)
    if faults:
        raise BadSettings(faults)
    return presets


def _preset(name: str, summary: str, spec: Any) -> Preset:
    return Preset(name, summary, spec, json.dumps(spec).encode())


def _read(path: Path) -> dict[str, Any]:
    try:
        document = loads(path.read_bytes())
    except OSError:
        raise BadSettings([f"{_VARIABLE} is '{path}': that file cannot be read"]) from None
    except EngineError as error:
        raise BadSettings([f"{_VARIABLE} is '{path}': {error.detail}"]) from None
    if not isinstance(document, dict):
        raise BadSettings([f"{_VARIABLE} is '{path}': the file must hold one object of names and specs"])
    return document


def _fault(name: str, spec: Any, limits: Limits, *, taken: bool) -> str | None:
    if not _NAME.fullmatch(name):
        return f"{name[:64]!r} is no name for a preset: 1 to 64 of a-z, 0-9 and -, not beginning with -"
    if taken:
        return f"{name!r} is the name of a built-in preset"
    try:
        parse(spec, limits)
    except EngineError as error:
        places = "; ".join(f"{fault.pointer or '/'}: {fault.detail}" for fault in error.faults)
        return f"{name!r}: {places or error.detail}"
    return None
