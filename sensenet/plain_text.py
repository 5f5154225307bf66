"""Text from strangers' documents, as terminals may show it."""

from __future__ import annotations


def one_line(text: str) -> str:
    """Return a text in one line, with escapes for characters that could control a terminal or hide others."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in " ".join(text.split())
    )
