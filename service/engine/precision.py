"""In which numbers to compute: float32 where it is provably or practically as good as exact, float64 elsewhere.

The contract: integer kernels on 8-bit pictures are exact, whatever the divisor; otherwise a level may differ by one
only where the exact result lies within 0.001 of a tie.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf, isnan, sqrt
from typing import Literal

from service.engine.steps import Reach, Step

Arithmetic = Literal["float32", "float64"]

UNIT_ROUNDOFF = 2.0**-24
EXACT_BELOW = 2.0**24
"""Up to here float32 holds every integer."""
TOLERANCE = 1e-3
"""Of a level, as the contract has it; the errors below are about five standard deviations of the real ones."""


@dataclass(frozen=True)
class Signal:
    """What is known of the samples between two steps, in levels.

    No magnitude is above `bound`; all are integers where `integral`. In float32 they are right to within `error`, and
    besides to within `relative` of each one's own magnitude.
    """

    bound: float
    integral: bool
    error: float = 0.0
    relative: float = 0.0

    def after(self, reach: Reach) -> Signal:
        """Follow the samples through a step that is computed in float32.

        The error of a sum of n products grows as the square root of n (N. J. Higham, "Accuracy and Stability of
        Numerical Algorithms", section 2.8).
        """
        if isnan(reach.gain):  # unknown numbers: taken for a kernel that keeps the level
            return replace(self, integral=False)
        level = max(self.bound, reach.rim)
        bound = reach.gain * level + reach.offset
        if not (self.integral and reach.integral):
            each = self.error + (self.relative + sqrt(reach.terms) * UNIT_ROUNDOFF) * level
            return Signal(bound, integral=False, error=reach.gain * each, relative=UNIT_ROUNDOFF)
        if reach.gain * level * abs(reach.divisor) >= EXACT_BELOW:
            return Signal(bound, integral=True, error=inf)
        if reach.rounds:
            return Signal(bound, integral=False, relative=2 * UNIT_ROUNDOFF)
        if abs(reach.divisor) == 1:
            return Signal(bound, integral=True)
        # A quotient of integers is at least 1 / (2 divisor) from a tie, or on it: float32 tells these apart up to 2^16.
        exact = float(reach.divisor).is_integer() and abs(reach.divisor) < 2**16
        return Signal(bound, integral=False, error=0.0 if exact else inf, relative=UNIT_ROUNDOFF)


def follow(signal: Signal, steps: Sequence[Step]) -> list[Signal]:
    """List the signal before each step and, last, after all of them."""
    signals = [signal]
    for step in steps:
        signals.append(signals[-1].after(step.reach))
    return signals


def arithmetic(end: Signal, full_scale: float, steepness: float = 1.0) -> Arithmetic:
    """Choose for a whole chain from the signal at its end; what lies beyond twice `full_scale` will be clipped.

    `steepness` is how much what follows the chain may magnify an error.
    """
    error = steepness * (end.error + end.relative * min(end.bound, 2 * full_scale))
    return "float32" if error <= TOLERANCE else "float64"
