"""Drawings of operations on the reference page."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple


class Illustration(NamedTuple):
    """A figure of the first step of `spec`, for an image of `side` x `side` samples.

    `sums` shows numbers in the cells; `reading` is how a transposed convolution is read; `heading` replaces the
    figure's own.
    """

    spec: dict[str, Any]
    side: int = 5
    channels: int = 1
    sums: bool = False
    reading: Literal["scatter", "gather"] = "gather"
    heading: str | None = None


class Gains(NamedTuple):
    """A chart of the gain at each frequency after a Gaussian blur, for several ratios of noise to signal."""

    sigma: float
    noise_to_signal: tuple[float, ...]
