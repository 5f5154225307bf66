"""Elements of the page: figures, tables, legends and gauges; every text of strangers is escaped here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sensenet.drawing.captions import columns, cut
from sensenet.drawing.page import escape_text
from sensenet.evaluation.overview import number
from sensenet.records import frozen

LABEL_COLUMNS = 60
"""The most columns of a name in legends and tables."""

SERIES = 8
"""The colors and dashes of curves."""


@frozen
class Entry:
    """A line of a legend: the number of its color, a name, and a value."""

    series: int
    name: str
    value: str = ""


def name_of(text: str, longest: int = LABEL_COLUMNS) -> str:
    """Return a name for HTML or SVG; of a long one the beginning and the end, where names often differ."""
    if columns(text) > longest:
        text = cut(text, longest - longest // 3) + text[-(longest // 3) :]
    return escape_text(text)


def figure(title: str, caption: str, image: str, legend: Sequence[Entry] = ()) -> str:
    """Return a card with a title, a sentence, a plot and its legend; title and caption are plain text."""
    return (
        f'<figure class="card"><figcaption><h3>{escape_text(title)}</h3><p>{escape_text(caption)}</p>'
        f"</figcaption>{image}{_legend(legend)}</figure>"
    )


def _legend(entries: Sequence[Entry]) -> str:
    if not entries:
        return ""
    items = (
        f'<li class="s{entry.series}"><svg viewBox="0 0 26 8" aria-hidden="true">'
        f'<path class="curve s{entry.series}" d="M1 4H25"/></svg>'
        f"<span>{name_of(entry.name)} <b>{escape_text(entry.value)}</b></span></li>"
        for entry in entries
    )
    return f'<ul class="legend">{"".join(items)}</ul>'


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
    return number(value) if value is None else f"{number(value)}{gauge(value)}"
