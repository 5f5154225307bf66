"""Numbers as people read them, in terminals, pages and drawings."""

from __future__ import annotations

import math
from collections.abc import Sequence

UNITS = ("bytes", "kB", "MB", "GB")

PLACES = 4
"""The digits of a measure."""


def format_number(number: float) -> str:
    """Return a number with four digits or, if it is large, all digits before the point."""
    if abs(number) >= 10_000:
        return f"{number:,.0f}" if abs(number) < 1e15 else f"{number:.3e}"
    return f"{number:.4g}"


def format_alike(numbers: Sequence[float], sign: bool = False) -> list[str]:
    """Return numbers with as many decimals each: four digits of the greatest; with `sign`, also a plus."""
    greatest = max((abs(number) for number in numbers if math.isfinite(number)), default=0.0)
    if not 1e-6 < greatest < 1e9:
        return [format_number(number) for number in numbers]
    decimals = max(3 - math.floor(math.log10(greatest)), 0)
    rounded = [round(number, decimals) + 0.0 for number in numbers]  # never -0.0
    return [f"{number:{'+' if sign else ''},.{decimals}f}" for number in rounded]


def format_measure(value: float | None) -> str:
    """Return a measure with PLACES significant digits or decimals, a dash for None."""
    if value is None:
        return "–"
    size = abs(value)
    if size and not 1e-4 <= size < 1e6:
        return f"{value:.{PLACES - 1}e}"
    return f"{value:.{PLACES}f}" if size < 10 else f"{value:,.{PLACES}g}" if size < 1000 else f"{value:,.0f}"


def format_interval(interval: tuple[float, float]) -> str:
    """Return the ends of a 95 % confidence interval of a measure."""
    low, high = interval
    return f"95 % interval {format_measure(low)} to {format_measure(high)}"


def format_tick(value: float) -> str:
    """Return a short text of a number at an axis."""
    if value and not 1e-3 <= abs(value) < 1e5:
        return f"{value:.2g}"
    return f"{value:.4g}".replace("-", "−")


def format_count(number: int, noun: str) -> str:
    """Return a number with its noun: `1 node`, `2 nodes`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def format_file_size(size: int) -> str:
    """Return a number of bytes with at most four digits and its unit: 3.42 MB."""
    number, units = float(size), iter(UNITS)
    unit = next(units)
    while number >= 1000 and unit != UNITS[-1]:
        number, unit = number / 1000, next(units)
    return f"{number:.4g} {unit}"
