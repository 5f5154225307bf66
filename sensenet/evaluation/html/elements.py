"""Elements of the page: tables and gauges, for cells of HTML."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sensenet.drawing.page import escape_text
from sensenet.plain_numbers import format_measure

SERIES = 8
"""The colors and dashes of curves."""


def table(label: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a card with a table: label and head in plain text, cells of HTML; the first heads its row."""
    columns = "".join(f'<th scope="col">{escape_text(each)}</th>' for each in head)
    body = "".join(
        f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in others)}</tr>'
        for first, *others in rows
    )
    name = escape_text(label)
    return (
        f'<div class="card wide" tabindex="0" role="region" aria-label="{name}"><h3>{name}</h3><table>'
        f"<thead><tr>{columns}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def gauge(value: float) -> str:
    """Return a bar for a value from 0 to 1."""
    return (
        '<svg class="gauge" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="track" width="100" height="6"/>'
        f'<rect class="bar" width="{100 * min(max(value, 0), 1):.1f}" height="6"/></svg>'
    )


def measured(value: float | None) -> str:
    """Return a measure from 0 to 1 with a gauge, a dash for None."""
    return format_measure(value) if value is None else f"{format_measure(value)}{gauge(value)}"
