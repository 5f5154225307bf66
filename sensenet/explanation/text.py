"""Explanations as text for terminals: tables with bars."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from sensenet.explanation.attribution import Contributions
from sensenet.explanation.curves import Curve
from sensenet.explanation.importance import Importance
from sensenet.explanation.occlusion import OcclusionMap
from sensenet.explanation.wording import (
    describe_answer,
    describe_background,
    describe_importance,
    describe_map,
    describe_method,
    format_value,
    list_entries,
    shorten,
)
from sensenet.models.deepnet import Deepnet
from sensenet.plain_numbers import format_alike, format_number
from sensenet.plain_text import align
from sensenet.records import frozen

BAR_WIDTH = 40
LONGEST_NAME = 30

MOST_FIELDS = 20
"""The fields that a table shows; it sums up the others."""

MOST_POINTS = 11
"""The numbers of a curve that a table shows."""


@frozen(kw_only=True)
class Blocks:
    """The characters of bars: whole ones, halves at their right and left ends, and the line of zero.

    `shades` are those of a map, the lightest first.
    """

    whole: str
    right_half: str
    left_half: str
    zero: str
    shades: str


UNICODE = Blocks(whole="█", right_half="▌", left_half="▐", zero="│", shades=" ░▒▓█")
ASCII = Blocks(whole="#", right_half="", left_half="", zero="|", shades=" .:*#")


def contribution_lines(model: Deepnet, found: Contributions, output: int, blocks: Blocks) -> Iterator[str]:
    """Yield a table of the contributions to one output, the greatest first."""
    yield shorten(describe_answer(model, found, output), 200)
    yield ""
    entries = list_entries(found, output, MOST_FIELDS, LONGEST_NAME)
    sizes = [entry.size for entry in entries]
    changes = zip(format_alike(sizes, sign=True), entries, strict=True)
    cells = [
        [entry.name for entry in entries],
        [entry.value or "" for entry in entries],
        [f"{change} {entry.error}".rstrip() for change, entry in changes],
        _bars(sizes, blocks),
    ]
    yield from _table(cells)
    yield ""
    yield describe_background(found)
    yield describe_method(found)


def importance_lines(found: Importance, blocks: Blocks) -> Iterator[str]:
    """Yield a table of the importance of fields."""
    yield describe_importance(found)
    yield ""
    ranked = found.ranked()[:MOST_FIELDS]
    sizes = [float(found.importance[number]) for number in ranked]
    errors = [2 * float(found.standard_error[number]) for number in ranked]
    written = format_alike([*sizes, *errors])
    numbers = [
        f"{size} ± {error}" for size, error in zip(written[: len(sizes)], written[len(sizes) :], strict=True)
    ]
    names = [shorten(found.fields[number], LONGEST_NAME) for number in ranked]
    yield from _table([names, numbers, _bars(sizes, blocks)])
    if len(found.fields) > len(ranked):
        yield f"  and {len(found.fields) - len(ranked)} less important fields"


def curve_lines(found: Curve, output: int, blocks: Blocks) -> Iterator[str]:
    """Yield a table of the answers to one output for the values of a field."""
    name, output_name = shorten(found.field, LONGEST_NAME), shorten(found.outputs[output], LONGEST_NAME)
    yield f"{output_name} if {name} were another (this row: {format_value(found.given)})"
    yield ""
    shown: Sequence[int] = range(len(found.values))
    if found.numeric and len(shown) > MOST_POINTS:
        ends = np.linspace(0, len(shown) - 2, MOST_POINTS - 1).round().astype(int)
        shown = [*ends.tolist(), len(found.values) - 1]
    sizes = [float(found.answers[number, output]) for number in shown]
    means = [float(found.average[number, output]) for number in shown]
    written = format_alike([*sizes, *means])
    averages = [f"average {each}" for each in written[len(sizes) :]]
    values = [format_value(found.values[number]) for number in shown]
    yield from _table([values, written[: len(sizes)], averages, _bars(sizes, blocks)])


def map_lines(found: OcclusionMap, blocks: Blocks) -> Iterator[str]:
    """Yield an occlusion map in shades, the darkest where covering the image lowers the score most."""
    subject = f"{shorten(found.output, LONGEST_NAME)}: score {format_number(found.score)}"
    yield subject + (f", in the box {list(found.box)}" if found.box else "")
    yield ""
    greatest = float(np.nanmax(found.drops, initial=0.0)) or 1.0
    shares = np.clip(np.nan_to_num(found.drops) / greatest, 0.0, 1.0)
    for row in (shares * (len(blocks.shades) - 1)).round().astype(int).tolist():
        yield "  |" + "".join(2 * blocks.shades[shade] for shade in row) + "|"
    yield ""
    yield describe_map(found)


def _table(columns: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of columns of cells, the first and the last, which has bars, to the left."""
    for line in align(list(zip(*columns, strict=True)), left=(0, len(columns) - 1)):
        yield f"  {line}".rstrip()


def _bars(sizes: Sequence[float], blocks: Blocks) -> list[str]:
    """Return a bar for each number, to the left of zero if it is negative."""
    finite = [size if np.isfinite(size) else 0.0 for size in sizes]
    least, greatest = min(0.0, *finite), max(0.0, *finite)
    scale = BAR_WIDTH / ((greatest - least) or 1.0)
    left = round(-least * scale)
    return [_bar(size * scale, left, blocks) for size in finite]


def _bar(length: float, left: int, blocks: Blocks) -> str:
    whole, half = divmod(round(2 * abs(length)), 2)
    if length >= 0:
        return " " * left + blocks.zero + blocks.whole * whole + blocks.right_half * half
    bar = blocks.left_half * half + blocks.whole * whole
    return bar.rjust(left)[-left:] + blocks.zero if left else blocks.zero
