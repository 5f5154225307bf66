"""Messages of exceptions that other packages raise."""

from __future__ import annotations

LONGEST = 300
"""Characters of a message that are enough for people."""


def first_line(error: Exception) -> str:
    """Return the first line of a message, or the exception's type if it has none.

    TensorFlow's messages go on with a listing of the graph, and some have very long lines.
    """
    lines = str(error).strip().splitlines()
    return lines[0][:LONGEST] if lines else type(error).__name__
