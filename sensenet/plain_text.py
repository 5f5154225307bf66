"""Text from strangers' documents, as terminals may show it."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Sequence

ELLIPSIS = "…"

LONGEST_LINE = 1000
"""Characters of an error or a note of a command."""


def one_line(text: str) -> str:
    """Return a text in one line, with escapes for characters that could control a terminal or hide others."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in " ".join(text.split())
    )


def short_line(text: str) -> str:
    """Return the same as `one_line`; of a line that repeats a long name, the beginning and the end."""
    line = one_line(text)
    half = LONGEST_LINE // 2
    return line if len(line) <= LONGEST_LINE else f"{line[:half]} … {line[-half:]}"


def columns(text: str) -> int:
    """Return the columns of a font of fixed width that text takes: East Asian characters two, marks none."""
    return sum(_columns_of(character) for character in text if not unicodedata.combining(character))


def _columns_of(character: str) -> int:
    return 1 + (unicodedata.east_asian_width(character) in "WF")


def cut(text: str, longest: int) -> str:
    """Return the text, or its beginning and an ellipsis if it takes more columns.

    Marks count as a column here, since some put thousands on a letter.
    """
    if sum(map(_columns_of, text)) <= longest:
        return text
    kept, used = 0, 1
    while used + _columns_of(text[kept]) <= longest:
        used += _columns_of(text[kept])
        kept += 1
    return text[:kept] + ELLIPSIS


def align(rows: Sequence[Sequence[str]], left: Collection[int] = (0,)) -> list[str]:
    """Return rows of cells as lines of one width: the columns `left` to the left, the others to the right."""
    widths = [max(map(columns, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            _pad(cell, width, left=number in left)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]


def _pad(text: str, width: int, *, left: bool) -> str:
    spaces = " " * (width - columns(text))
    return text + spaces if left else spaces + text
