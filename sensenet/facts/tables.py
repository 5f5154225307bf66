"""Tables as text for terminals: columns of one width, long cells cut, no control characters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sensenet.plain_numbers import format_number
from sensenet.plain_text import align, cut, one_line

LONGEST_CELL = 48


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


def print_number(number: float | None) -> str:
    """Return a number as `format_number` does; nothing for None."""
    return "" if number is None else format_number(number)


def print_count(number: int) -> str:
    """Return a whole number with commas; nothing for 0."""
    return f"{number:,}" if number else ""


def list_some(names: Sequence[str], most: int = 5) -> str:
    """Return the first names, separated by commas, and how many more there are."""
    more = f", … {len(names):,} in all" if len(names) > most else ""
    return ", ".join(_quote(cut(one_line(name), LONGEST_CELL)) for name in names[:most]) + more


def _quote(name: str) -> str:
    return f'"{name}"' if "," in name else name
