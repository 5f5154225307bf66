"""What `diff` returns, and its text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

import attrs

from sensenet.facts.tables import print_number, print_table
from sensenet.inspection.answers import AnswerChange
from sensenet.inspection.graphs import NodeChange, WeightChange
from sensenet.inspection.records import Change
from sensenet.plain_numbers import format_count
from sensenet.plain_text import one_line
from sensenet.records import frozen

MOST_LINES = 40
"""The most lines of a part of the text."""


@frozen(kw_only=True)
class Difference:
    """Where two models differ: `str()` of it is what `sensenet diff` prints.

    `parts` are those that were compared; a part that was not, or is equal, is empty or None. `notes` say why
    a part was not compared. Weights and answers differ if they do by more than `tolerance`.
    """

    first: str
    second: str
    parts: tuple[str, ...]
    tolerance: float = 0.0
    signature: tuple[Change, ...] = ()
    settings: tuple[Change, ...] = ()
    graph: tuple[NodeChange, ...] = ()
    weights: tuple[WeightChange, ...] = ()
    answers: AnswerChange | None = None
    notes: tuple[str, ...] = ()

    @property
    def same(self) -> bool:
        """Whether nothing that was compared differs, but for rounding within the tolerance."""
        return not (self.signature or self.settings or self.graph or self.weights or self.answers_differ)

    @property
    def answers_differ(self) -> bool:
        """Whether the answers differ by more than the tolerance, in class, or could not be compared."""
        found = self.answers
        if found is None:
            return False
        return bool(found.refusal or found.changed) or max(found.largest, found.boxes) > self.tolerance

    def __str__(self) -> str:
        return "\n".join(_lines(self))

    def _repr_html_(self) -> str:
        return f"<pre>{escape(str(self))}</pre>"

    def to_json(self) -> dict[str, Any]:
        """Return the differences as a JSON object, with `same`."""
        return {"same": self.same, **attrs.asdict(self)}


def _lines(found: Difference) -> Iterator[str]:
    yield f"--- {one_line(found.first)}"
    yield f"+++ {one_line(found.second)}"
    for name, lines in (
        ("signature", [_print_change(change) for change in found.signature]),
        ("settings", [_print_change(change) for change in found.settings]),
        ("graph", [line for change in found.graph for line in _node_lines(change)]),
        ("weights", _weight_lines(found.weights)),
    ):
        if lines:
            yield name
            yield from _cut(lines)
    if found.answers:
        yield from _answer_lines(found.answers)
    for note in found.notes:
        yield f"not compared: {one_line(note)}"
    if found.same:
        yield f"no difference in {', '.join(found.parts)}"


def _cut(lines: Sequence[str]) -> Iterator[str]:
    yield from lines[:MOST_LINES]
    if len(lines) > MOST_LINES:
        yield f"  … and {format_count(len(lines) - MOST_LINES, 'more line')}"


def _print_change(change: Change, indent: str = "  ") -> str:
    values = f"{one_line(change.first) or '(none)'} → {one_line(change.second) or '(none)'}"
    return f"{indent}{one_line(change.path)}: {values}"


def _node_lines(change: NodeChange) -> Iterator[str]:
    mark = {"added": "+", "removed": "-"}.get(change.what, "~")
    yield f"  {mark} {one_line(change.name)} ({change.op})"
    for each in change.changes:
        yield _print_change(each, "      ")


def _weight_lines(changes: Sequence[WeightChange]) -> list[str]:
    rows = [
        (each.name, each.first, each.second, print_number(each.absolute), print_number(each.relative))
        for each in changes
    ]
    return print_table(("tensor", "first", "second", "largest", "relative"), rows, (3, 4)) if rows else []


def _answer_lines(found: AnswerChange) -> Iterator[str]:
    if found.refusal:
        yield "answers"
        yield f"  {one_line(found.refusal)}"
        return
    drawn = "drawn " if found.drawn else ""
    yield f"answers to {found.rows:,} {drawn}rows"
    where = f" (row {found.row})" if found.largest else ""
    yield f"  largest difference {found.largest:.3g}{where}"
    if found.boxes:
        yield f"  largest difference of a box {found.boxes:.0f} pixels"
    if found.changed:
        verb = "changes" if len(found.changed) == 1 else "change"
        yield f"  {format_count(len(found.changed), 'row')} {verb} class"
    yield from _cut(
        [f"    row {each.row}: {one_line(each.first)} → {one_line(each.second)}" for each in found.changed]
    )
