"""Choose the arithmetic: float32 if it is provably or practically as good as exact, else float64.

The contract: integer kernels on 8-bit pictures are exact, whatever the divisor, and so are kernels of multiples of one
power of two, which are integers over a divisor (integers.py); otherwise a level may differ by one only where the exact
result lies within 0.001 of a tie.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import frexp, inf, isnan, sqrt
from typing import Literal

from service.engine.steps import Blend, Reach, Step
from service.engine.steps.binary import binary_places

Arithmetic = Literal["float32", "float64"]

UNIT_ROUNDOFF = 2.0**-24
EXACT_BELOW = 2.0**24
"""float32 holds every integer up to here, float64 every integer up to 2^53."""
DOUBLE_BELOW = 2.0**53
LEVELS = 256.0
"""8-bit results are clipped beyond this."""
TOLERANCE = 1e-3
"""In levels, from the contract; the errors below are about five standard deviations of the actual errors."""


@dataclass(frozen=True)
class Signal:
    """What is known of the samples between two steps, in levels.

    No magnitude exceeds `bound`. All samples are multiples of 2**-`places`; None if no such power is known. In float32
    their error is at most `error` plus `relative` times their own magnitude.
    """

    bound: float
    places: int | None = None
    error: float = 0.0
    relative: float = 0.0

    def exact_places(self, reach: Reach) -> int | None:
        """Count the binary places of the sums that a step makes of these samples; None if the sums are not exact."""
        if self.places is None or reach.rim_places is None or not reach.integral:
            return None
        places = max(self.places, reach.rim_places)
        return places if self._largest_sum(reach) * 2.0**places < DOUBLE_BELOW else None

    def after(self, reach: Reach) -> Signal:
        """Follow the samples through a step that is computed in float32.

        The error of a sum of n products grows as the square root of n (N. J. Higham, "Accuracy and Stability of
        Numerical Algorithms", section 2.8).
        """
        if isnan(reach.gain):  # unknown numbers: assume a kernel that keeps the level
            return replace(self, places=None)
        level = max(self.bound, reach.rim)
        bound = reach.gain * level + reach.offset
        places = self.exact_places(reach)
        if places is None:
            too_large = inf if reach.integral and self.places is not None and reach.rim_places is not None else 0.0
            each = self.error + (self.relative + sqrt(reach.terms) * UNIT_ROUNDOFF) * level
            return Signal(bound, error=reach.gain * each + too_large, relative=UNIT_ROUNDOFF)
        error = self.error if self._largest_sum(reach) * 2.0**places < EXACT_BELOW else inf
        if reach.rounds:
            return Signal(bound, error=error, relative=2 * UNIT_ROUNDOFF)
        power = None if reach.uneven else _power_of_two(reach.divisor)
        if power is not None and reach.offset_places is not None:
            left = max(places + power, reach.offset_places, 0)
            return Signal(bound, left, error if bound * 2.0**left < EXACT_BELOW else inf)
        return Signal(bound, error=error if _tells_ties_apart(reach, places) else inf, relative=UNIT_ROUNDOFF)

    def blended(self, other: Signal, step: Blend) -> Signal:
        """Follow the samples through a weighted sum with `other`."""
        if isnan(step.weights[0]):
            return replace(self, places=None)
        first, second = abs(step.weights).tolist()
        offset, terms = step.reach.offset, first * self.bound + second * other.bound
        error, bound = first * self.error + second * other.error, terms + offset
        weighed, added = binary_places(step.weights), step.reach.offset_places
        if self.places is not None and other.places is not None and weighed is not None and added is not None:
            places = max(self.places + weighed, other.places + weighed, added, 0)
            if bound * 2.0**places < DOUBLE_BELOW:
                return Signal(bound, places, error if bound * 2.0**places < EXACT_BELOW else inf)
        error += first * self.relative * self.bound + second * other.relative * other.bound
        return Signal(bound, error=error + 2 * UNIT_ROUNDOFF * terms, relative=UNIT_ROUNDOFF)

    def _largest_sum(self, reach: Reach) -> float:
        return reach.gain * max(self.bound, reach.rim) * abs(reach.divisor)


def follow(signal: Signal, steps: Sequence[Step], others: Mapping[int, int] | None = None) -> list[Signal]:
    """List the signal before each step and, last, after all of them.

    `others` maps the index of a Blend to the index of its second signal.
    """
    signals = [signal]
    for place, step in enumerate(steps):
        if isinstance(step, Blend):
            signals.append(signals[-1].blended(signals[(others or {})[place]], step))
        else:
            signals.append(signals[-1].after(step.reach))
    return signals


def arithmetic(end: Signal, full_scale: float, steepness: float = 1.0) -> Arithmetic:
    """Choose for a whole chain from the signal at its end; values beyond twice `full_scale` will be clipped.

    `steepness` bounds how much the conversion after the chain magnifies an error.
    """
    error = steepness * (end.error + end.relative * min(end.bound, 2 * full_scale))
    return "float32" if error <= TOLERANCE else "float64"


def _power_of_two(divisor: float) -> int | None:
    mantissa, exponent = frexp(abs(divisor))
    return exponent - 1 if mantissa == 0.5 else None


def _tells_ties_apart(reach: Reach, places: int) -> bool:
    """Say whether float32 divides sums of `places` binary places, and adds the bias, without making or losing a tie.

    The exact result is a multiple of 1 / (divisor 2^places), so it lies on a tie or at least half of that away. The
    quotient is rounded by at most 2^-24 of itself, and so is its sum with the bias; a level below 256 is rounded by at
    most 2^-17.
    """
    if reach.offset_places is None or not float(reach.divisor).is_integer():
        return False
    apart = 1 / (2 * abs(reach.divisor) * 2.0 ** max(places, reach.offset_places))
    quotient = LEVELS + reach.offset
    error = LEVELS * UNIT_ROUNDOFF / 2 if reach.offset == 0 else (quotient + LEVELS / 2) * UNIT_ROUNDOFF
    return error < apart
