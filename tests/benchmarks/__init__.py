"""Benchmarks, on the processor level that CONVSERVE_CPU names; by default the highest that the machine has."""

import os

from service.engine.machine import levels

LEVEL = levels.use(os.environ.get("CONVSERVE_CPU"))  # before anything imports numba
