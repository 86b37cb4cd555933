"""Which floor the tests run on: the compiled one of a level, or with CONVSERVE_COMPILE=off the ground floor."""

from __future__ import annotations

import pytest

from service.engine.machine import compiled

needs_loops = pytest.mark.skipif(not compiled.generation(), reason="the compiled floor is off")
needs_ground = pytest.mark.skipif(bool(compiled.generation()), reason="the compiled floor is on")
