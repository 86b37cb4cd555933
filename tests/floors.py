"""Tests of the compiled floor alone, which are passed over where it is off."""

from __future__ import annotations

import pytest

from service.engine import compiled

needs_loops = pytest.mark.skipif(not compiled.generation(), reason="the compiled floor is off")
