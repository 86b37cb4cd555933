"""Animate with CSS keyframes: an image in a page may not run scripts, and SMIL ignores a wish for reduced motion.

Everything moves in jumps, and all jumps are at the same shares of one period, so nothing drifts apart. Viewers that ask
for reduced motion, and programs without animation, show the still.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

LONGEST_PERIOD = 36.0
SLOWEST, FASTEST = 0.9, 0.125
"""Seconds at a position; at the fastest a few cells change eight times a second, far from flashing."""
REST = 2.0
"""Extra seconds at the last position."""


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
    """Write the keyframes that show something from position `first` until before `end`."""
    frames = "" if first == 0 else "0%{visibility:hidden}"
    frames += f"{clock.at(first)}{{visibility:visible}}"
    frames += "" if end is None else f"{clock.at(end)}{{visibility:hidden}}"
    return f"@keyframes {name}{{{frames}}}"


def moving(name: str, keyframes: Iterable[str], animations: Iterable[tuple[str, str]], clock: Clock) -> str:
    """Bind (class, keyframes) in the drawing `name`; the animation pauses under the pointer."""
    bound = "".join(
        f".{name} .{each}{{animation:{frames} {clock.period:.6g}s step-end infinite}}" for each, frames in animations
    )
    return (
        f"{''.join(keyframes)}@media (prefers-reduced-motion:no-preference){{.{name} .veil{{visibility:visible}}{bound}"
        f".{name}:hover *{{animation-play-state:paused}}}}"
    )
