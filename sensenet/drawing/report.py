"""What pages of reports have in common: their style, figures with legends, names that are not too long."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sensenet.drawing.page import escape_text, read_style
from sensenet.plain_text import columns, cut
from sensenet.records import frozen

LABEL_COLUMNS = 60
"""The most columns of a name in legends and tables."""


@frozen
class Key:
    """A line of a legend: the classes of its line in the page's style, a name, and a value."""

    kind: str
    name: str
    value: str = ""


def read_report_style(path: Path) -> str:
    """Return the style of a report: that of all reports, and the file's rules."""
    return f"{read_style(Path(__file__).parent / 'report.css')}{path.read_text('utf-8')}"


def name_of(text: str, longest: int = LABEL_COLUMNS) -> str:
    """Return a name for HTML or SVG; of a long one the beginning and the end, where names often differ."""
    if columns(text) > longest:
        text = cut(text, longest - longest // 3) + text[-(longest // 3) :]
    return escape_text(text)


def figure(title: str, caption: str, content: str, legend: Sequence[Key] = (), level: int = 3) -> str:
    """Return a card with a title and a sentence, both plain text, a plot or other HTML, and a legend.

    `level` is that of the title among the headings of the page.
    """
    return (
        f'<figure class="card"><figcaption><h{level}>{escape_text(title)}</h{level}>'
        f"<p>{escape_text(caption)}</p></figcaption>{content}{_legend(legend)}</figure>\n"
    )


def _legend(entries: Sequence[Key]) -> str:
    if not entries:
        return ""
    items = (
        f'<li><svg viewBox="0 0 26 8" aria-hidden="true"><path class="{key.kind}" d="M1 4H25"/></svg>'
        f"<span>{name_of(key.name)} <b>{escape_text(key.value)}</b></span></li>"
        for key in entries
    )
    return f'<ul class="legend">{"".join(items)}</ul>'
