"""Fixtures for tests everywhere, and the order of their files."""

from __future__ import annotations

import pytest

from tests.live import live

__all__ = ["live"]

LONG = (
    "tests/test_container.py",
    "tests/test_batch.py",
    "tests/browser/test_playground.py",
    "tests/hostile/test_load.py",
    "tests/browser/test_docs_shell.py",
    "tests/dispatch/test_cluster.py",
    "tests/test_server.py",
    "tests/deploy/test_balancer.py",
    "tests/hostile/test_schemathesis.py",
    "tests/engine/codecs/test_damage.py",
    "tests/docs/test_docs.py",
    "tests/engine/test_plan.py",
)
"""Files that take more than 10 s, the longest first."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes long: a process that began with it last would keep the others waiting."""
    ranks = {file: rank for rank, file in enumerate(LONG)}
    items.sort(key=lambda item: ranks.get(item.nodeid.partition("::")[0], len(LONG)))
