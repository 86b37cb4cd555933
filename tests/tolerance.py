"""How far a computed sum may be from the exact one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.engine.algorithms.base import Task
from service.engine.steps.precision import Arithmetic
from tests import oracle

ROUNDOFF = {"float32": 2.0**-24, "float64": 2.0**-53}


def tolerance(terms: int, gain: float, bound: float, arithmetic: Arithmetic, offset: float = 0.0) -> float:
    """Bound the error of a sum of `terms` products, |sum| <= gain * bound, to which `offset` is added.

    Each product and each addition is off by one roundoff, and so are the weight, the division and the storing:
    N. J. Higham, "Accuracy and Stability of Numerical Algorithms", section 3.1. Sums whose square root is taken keep
    that error, since a magnitude is a norm.
    """
    return (terms + 6) * ROUNDOFF[arithmetic] * (gain * bound + offset)


def assert_computes(task: Task, image: NDArray[Any], result: NDArray[Any]) -> None:
    """Hold `result` against the oracle: exactly for integers, within the tolerance for floats.

    Where a result is rounded to integers, it may differ by one if the exact number is as near to a tie.
    """
    exact = oracle.apply(task.step, image)
    expected = oracle.stored(exact, task.target)
    assert result.shape == expected.shape == tuple(task.output)
    assert result.dtype == expected.dtype
    if task.exact and task.target in {"uint8", "uint16"}:
        np.testing.assert_array_equal(result, expected)
        return
    reach = task.step.reach
    bound = max(float(np.abs(image.astype(np.float64)).max()), reach.rim)
    allowed = tolerance(reach.terms, reach.gain, bound, task.arithmetic, reach.offset)
    if task.target == "float32":
        allowed += ROUNDOFF["float32"] * float(np.abs(exact).max())
    difference = np.abs(result.astype(np.float64) - expected.astype(np.float64))
    if expected.dtype.kind == "u":
        near_a_tie = np.abs(exact - np.floor(exact) - 0.5) <= allowed
        assert difference[~near_a_tie].max(initial=0) == 0
        assert difference.max() <= 1
    else:
        assert difference.max() <= allowed
