"""Compile loops for a level that this machine need not have; reads their pickled signatures from standard input."""

from __future__ import annotations

import pickle
import sys

from service.engine.algorithms import warming

if __name__ == "__main__":
    warming.compile_signatures(pickle.load(sys.stdin.buffer))  # noqa: S301 -- from the process that started this one
