"""Fixtures for tests everywhere."""

from __future__ import annotations

from tests.live import live

__all__ = ["live"]
