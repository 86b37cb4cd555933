"""Bounds on the numbers that a step makes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Reach:
    """Bounds on the numbers of a step: |y| <= gain |x| + offset, each a sum of at most `terms` products.

    Beyond the rim of the image no sample is larger than `rim`. `integral` says that integer samples give integer sums,
    before the division by `divisor`; `rounds`, that an inexact root follows; `uneven`, that some sums are divided by
    less. `rim_places` and `offset_places` are the binary places of the samples beyond the rim and of the numbers added
    to the sums; None if they are not multiples of a power of two.
    """

    gain: float
    terms: int
    integral: bool
    divisor: float = 1.0
    offset: float = 0.0
    rim: float = 0.0
    rounds: bool = False
    uneven: bool = False
    rim_places: int | None = 0
    offset_places: int | None = 0
