"""Tables as text for terminals: columns of one width, long cells cut, no control characters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sensenet.drawing.captions import cut
from sensenet.plain_text import align, one_line

LONGEST_CELL = 48
UNITS = ("bytes", "kB", "MB", "GB")


def print_table(
    header: Sequence[str], rows: Iterable[Sequence[str]], numbers: Iterable[int] = ()
) -> list[str]:
    """Return the lines of a table, indented; the columns `numbers` are aligned to the right.

    A column that is empty in all rows is left out.
    """
    right = frozenset(numbers)
    cells = [[cut(one_line(cell), LONGEST_CELL) for cell in row] for row in (header, *rows)]
    kept = [n for n in range(len(header)) if any(row[n] for row in cells[1:])]
    left = [position for position, n in enumerate(kept) if n not in right]
    return [f"  {line}".rstrip() for line in align([[row[n] for n in kept] for row in cells], left)]


def print_size(size: int) -> str:
    """Return a number of bytes with at most four digits and its unit: 3.42 MB."""
    number, units = float(size), iter(UNITS)
    unit = next(units)
    while number >= 1000 and unit != UNITS[-1]:
        number, unit = number / 1000, next(units)
    return f"{number:.4g} {unit}"


def print_number(number: float | None) -> str:
    """Return a number with up to five digits; nothing for None."""
    return "" if number is None else f"{number:.5g}"


def print_count(number: int) -> str:
    """Return a whole number with commas; nothing for 0."""
    return f"{number:,}" if number else ""


def list_some(names: Sequence[str], most: int = 5) -> str:
    """Return the first names, separated by commas, and how many more there are."""
    more = f", … {len(names):,} in all" if len(names) > most else ""
    return ", ".join(_quote(cut(one_line(name), LONGEST_CELL)) for name in names[:most]) + more


def _quote(name: str) -> str:
    return f'"{name}"' if "," in name else name
