"""Suggestions for unknown names."""

from __future__ import annotations

from collections.abc import Iterable

LONGEST_NAME = 100
"""How many characters of a wrong name are compared, since comparing takes time quadratic in its length."""


def suggest(name: object, known: Iterable[str]) -> str:
    """Return "did you mean 'x'? " for the known name that is nearest to a wrong one, in any case of its
    letters; "" if none is near."""
    import difflib  # for errors alone

    names = {each.casefold(): each for each in known}
    close = difflib.get_close_matches(str(name)[:LONGEST_NAME].casefold(), names, n=1)
    return f"did you mean {names[close[0]]!r}? " if close else ""
