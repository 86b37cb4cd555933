"""The animation, as CSS keyframes: an image in a page may not run scripts, and SMIL knows no reduced motion.

Everything moves in jumps, and all jumps are at the same shares of one period, so that nothing drifts apart. Whoever
asks for reduced motion, or whose program knows no animation, sees the still.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

LONGEST_PERIOD = 36.0
SLOWEST, FASTEST = 0.9, 0.125
"""Seconds at a position; at the fastest a few cells change eight times a second, far from what flashes."""
REST = 2.0
"""Seconds at the last position, beyond its own."""


class Clock:
    """Turns the number of a position into a share of the period."""

    def __init__(self, positions: int) -> None:
        step = min(SLOWEST, max(FASTEST, LONGEST_PERIOD / positions))
        self.period = positions * step + REST
        self._share = 100 * step / self.period

    def at(self, position: int) -> str:
        return f"{position * self._share:.4f}".rstrip("0").rstrip(".") + "%"


def walk(name: str, offsets: Sequence[tuple[int, int]], clock: Clock) -> str:
    """Write the keyframes that move something from one offset to the next."""
    frames = "".join(
        f"{clock.at(position)}{{transform:translate({x}px,{y}px)}}"
        for position, (x, y) in enumerate(offsets)
        if position == 0 or (x, y) != offsets[position - 1]
    )
    return f"@keyframes {name}{{{frames}}}"


def appear(name: str, first: int, end: int | None, clock: Clock) -> str:
    """Write the keyframes that show something from position `first` on, until before `end`."""
    frames = "" if first == 0 else "0%{visibility:hidden}"
    frames += f"{clock.at(first)}{{visibility:visible}}"
    frames += "" if end is None else f"{clock.at(end)}{{visibility:hidden}}"
    return f"@keyframes {name}{{{frames}}}"


def moving(name: str, keyframes: Iterable[str], animations: Iterable[tuple[str, str]], clock: Clock) -> str:
    """Bind (class, keyframes) in the drawing `name`; under the pointer it holds still."""
    bound = "".join(
        f".{name} .{each}{{animation:{frames} {clock.period:.6g}s step-end infinite}}" for each, frames in animations
    )
    return (
        f"{''.join(keyframes)}@media (prefers-reduced-motion:no-preference){{.{name} .veil{{visibility:visible}}{bound}"
        f".{name}:hover *{{animation-play-state:paused}}}}"
    )
