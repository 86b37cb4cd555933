"""How far the numbers of a step may go."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Reach:
    """How far the numbers of a step may go: |y| <= gain |x| + offset, each a sum of at most `terms` products.

    Beyond the rim of the image no sample is larger than `rim`. `integral` says that integer samples give integer
    sums, before the division by `divisor`; `rounds`, that a root follows, which is not exact; `uneven`, that other sums
    are divided by less. `rim_places` and `offset_places` are the binary places behind the point of what stands beyond
    the rim and of what is added to the sums; None where these are no multiples of a power of two.
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
