"""Write numbers for cells, and sums for the lines below."""

from __future__ import annotations

from collections.abc import Sequence

LONGEST_LINE = 44
MOST_LINES = 5

Term = tuple[float, float]
"""A sample and the kernel number that multiplies it."""


def numeral(number: float) -> str:
    """Write a number with four digits, an integer with up to five."""
    if number == 0:
        return "0"
    whole = abs(number) < 1e5 and (abs(number) >= 1000 or float(number).is_integer())
    digits, _, exponent = (f"{number:.0f}" if whole else f"{number:.4g}").partition("e")
    return (digits + (f"e{int(exponent)}" if exponent else "")).replace("-", "−")


def sum_lines(rows: Sequence[Sequence[Term]], terms: int, total: float, divisor: float, bias: float) -> tuple[str, ...]:
    """Write out a sum, one line per row of the kernel; only its result if there are no rows or they are too long."""
    lines = [" + ".join(f"{numeral(sample)}·{_factor(tap)}" for sample, tap in row) for row in rows]
    lines[1:] = [f"+ {line}" for line in lines[1:]]
    if not 1 <= len(lines) <= MOST_LINES or max(map(len, lines)) > LONGEST_LINE:
        lines = [f"sum of {terms} products"]
    result = f" = {numeral(total)}"
    if len(lines[-1]) + len(result) > LONGEST_LINE:
        lines.append(result.lstrip())
    else:
        lines[-1] += result
    if divisor != 1 or bias:
        over = f" ÷ {_factor(divisor)}" if divisor != 1 else ""
        more = f" {'−' if bias < 0 else '+'} {numeral(abs(bias))}" if bias else ""
        lines.append(f"{numeral(total)}{over}{more} = {numeral(total / divisor + bias)}")
    return tuple(lines)


def _factor(number: float) -> str:
    return f"({numeral(number)})" if number < 0 else numeral(number)
