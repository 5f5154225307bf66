"""Suggestions for unknown names."""

from __future__ import annotations

from collections.abc import Iterable


def suggest(name: object, known: Iterable[str]) -> str:
    """Return "did you mean 'x'? " for the known name that is nearest to a wrong one; "" if none is near."""
    import difflib  # for errors alone

    close = difflib.get_close_matches(str(name), known, n=1)
    return f"did you mean {close[0]!r}? " if close else ""
