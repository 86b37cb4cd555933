"""On the path of a server under test, this folder makes parts of it pretend (`PRETENCE`, one word).

loops   what is compiled stands in the file PRETENDED_LOOPS, "K N": the compiling process tells it as its progress,
        until all is there, and workers load it as their share (and note that in
        a file of their own); "no numba" makes it end as it does without numba
absent  the engine cannot be imported
wrong   the engine answers, but wrongly
fatal   to import the engine ends the process
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import os
import sys
import time
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

Change = Callable[[ModuleType], None]


class Changed(importlib.abc.MetaPathFinder):
    """Lets a module be imported as it is, and changes it before anybody sees it."""

    def __init__(self, name: str, change: Change) -> None:
        self._name = name
        self._change = change

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        spec = importlib.machinery.PathFinder.find_spec(name, path) if name == self._name else None
        if spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def executed(module: ModuleType) -> None:
            execute(module)
            self._change(module)

        spec.loader.exec_module = executed  # type: ignore[method-assign]
        return spec


def loops(module: Any) -> None:
    loaded = [0.0]

    def load() -> None:
        done, parts = state().split()
        Path(f"{os.environ['PRETENDED_LOOPS']}.{os.getpid()}").write_text(f"{done} {parts}", encoding="ascii")
        loaded[0] = int(done) / int(parts)

    module.load, module.share, module.forget = load, lambda: loaded[0], lambda: None


def compiler(module: Any) -> None:
    if "warm" not in sys.argv:
        return

    def main() -> None:
        said = ""
        while True:
            if state() == "no numba":
                sys.stderr.write("No module named 'numba'\n")
                sys.exit(3)
            if state() != said:
                said = state()
                print(said, flush=True)
            if len(set(said.split())) == 1:
                return
            time.sleep(0.01)

    module.main = main


def state() -> str:
    return Path(os.environ["PRETENDED_LOOPS"]).read_text(encoding="ascii")


def absent(_: ModuleType) -> None:
    raise ModuleNotFoundError("No module named 'numba'")


def wrong(module: Any) -> None:
    right, other = module.perform, b'{"op": "conv", "kernel": [[0.5]]}'
    module.perform = lambda job, threads: right(job._replace(spec=other), threads)


def fatal(_: ModuleType) -> None:
    os._exit(3)


ENGINE = "service.engine.jobs.pipeline"
CHANGES: dict[str, dict[str, Change]] = {
    "loops": {"service.engine.machine.compiled": loops, "service.cli": compiler},
    "absent": {ENGINE: absent},
    "wrong": {ENGINE: wrong},
    "fatal": {ENGINE: fatal},
}
for _name, _change in CHANGES.get(os.environ.get("PRETENCE", ""), {}).items():
    sys.meta_path.insert(0, Changed(_name, _change))
