"""How a rounded result is held against the exact one, as the contract has it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests import oracle

NEAR_A_TIE = 1e-3


def assert_levels(result: NDArray[Any], exact: NDArray[np.float64]) -> None:
    """Let a level differ by one where `exact` lies within 0.001 of a tie, and nowhere by more."""
    expected = oracle.stored(exact, result.dtype)
    assert result.shape == expected.shape
    difference = np.abs(result.astype(np.int64) - expected.astype(np.int64))
    assert difference.max() <= 1
    from_tie = np.abs(exact - np.floor(exact) - 0.5)
    assert from_tie[difference > 0].max(initial=0) <= NEAR_A_TIE
