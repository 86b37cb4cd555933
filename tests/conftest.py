"""Fixtures for tests everywhere, and the order of their files."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from service.engine.machine import compiled, levels

if os.environ.get("CONVSERVE_TEST_LEVEL") == "as set":  # by wide.py
    LEVEL = levels.current()
else:
    LEVEL = levels.use(os.environ.get("CONVSERVE_CPU"))  # before anything imports numba
if os.environ.get("CONVSERVE_COMPILE") == "off":
    compiled.forget()
else:
    compiled.load()

from tests.live import live

__all__ = ["live"]

LONG = (
    "tests/test_container.py",
    "tests/test_batch.py",
    "tests/browser/test_playground.py",
    "tests/hostile/test_load.py",
    "tests/browser/test_docs_shell.py",
    "tests/test_servers.py",
    "tests/test_start.py",
    "tests/dispatch/test_cluster.py",
    "tests/test_server.py",
    "tests/deploy/test_balancer.py",
    "tests/hostile/test_schemathesis.py",
    "tests/engine/codecs/test_damage.py",
    "tests/engine/codecs/test_png_search.py",
    "tests/docs/test_docs.py",
    "tests/engine/jobs/test_plan.py",
    "tests/test_memory_budget.py",
    "tests/examples/test_examples.py",
    "tests/release/test_workflows.py",
    "tests/fuzz/test_targets.py",
)
"""Files that take more than 10 s, the longest first."""


def pytest_report_header() -> str:
    return f"processor level {LEVEL}, compiled floor {compiled.share():.0%}"


@pytest.fixture(autouse=True, scope="session")
def _kits_are_whole() -> Iterator[None]:
    """Fail in the end where a loop was compiled for types that its kit does not know: a request would have waited."""
    if os.environ.get("CONVSERVE_COMPILE") == "off":
        yield
        return
    assert compiled.share() == 1, "run `convserve warm` first, as `make test` does"
    from service.engine.loops.compiler import all_loops  # noqa: PLC0415 (imports numba)

    known = {loop: set(loop.signatures) for loop in all_loops() if loop.signatures}
    yield
    assert not [(loop, unknown) for loop, kinds in known.items() if (unknown := set(loop.signatures) - kinds)]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes long: a process that began with it last would keep the others waiting."""
    ranks = {file: rank for rank, file in enumerate(LONG)}
    items.sort(key=lambda item: ranks.get(item.nodeid.partition("::")[0], len(LONG)))
