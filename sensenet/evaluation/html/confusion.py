"""The confusion matrix as a heat map, and the most frequent confusions as a list."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from sensenet.drawing.page import escape_text
from sensenet.drawing.report import figure, name_of
from sensenet.evaluation.classification import Classification
from sensenet.evaluation.html.elements import table
from sensenet.evaluation.ratios import divide
from sensenet.ir.types import Array
from sensenet.plain_text import columns
from sensenet.records import frozen

DRAWN_CLASSES = 20
"""The most classes that are drawn: those with the most rows."""

COUNTED_CLASSES = 12
"""The most classes whose cells have room for numbers."""

FEW_CLASSES = 4
"""Up to this number, a list of the most frequent confusions says nothing that the heat map does not."""

MOST_CONFUSIONS = 12

WIDTH = 460
LARGEST_CELL = 104.0
NAME_COLUMNS, NAME_COLUMNS_OF_MANY = 16, 12
"""The most columns of a name, if few or many classes are drawn."""

COLUMN = 8.0
"""Pixels of a column of text, at most about: texts are larger on phones."""

SLANTED = 0.72
"""How high text is that rises by 45 degrees, relative to its width."""


@frozen(kw_only=True, eq=False)
class HeatMap:
    """Where the cells are: `size` pixels wide, from `left` and `top`, for some classes by their numbers."""

    result: Classification
    shares: Array
    rows: Sequence[int]
    predicted: Sequence[int]
    left: float
    top: float
    size: float
    slanted: bool
    longest_name: int

    @property
    def height(self) -> float:
        return self.top + self.size * len(self.rows) + 6

    def draw(self) -> Iterator[str]:
        """Yield the elements of the image."""
        center, middle = self.size * len(self.predicted) / 2, self.size * len(self.rows) / 2
        yield f'<text class="middle" x="{self.left + center:.1f}" y="14">Predicted</text>'
        turned = f'transform="translate(12 {self.top + middle:.1f}) rotate(-90)"'
        yield f'<text class="middle" {turned}>True</text>'
        for down, row in enumerate(self.rows):
            y = self.top + (down + 0.5) * self.size + 4
            yield f'<text class="name end" x="{self.left - 7:.1f}" y="{y:.1f}">{self._name(row)}</text>'
        for across, column in enumerate(self.predicted):
            yield self._column_name(self.left + (across + 0.5) * self.size, column)
        for down, row in enumerate(self.rows):
            for across, column in enumerate(self.predicted):
                yield from self._cell(
                    self.left + across * self.size, self.top + down * self.size, row, column
                )

    def _name(self, number: int) -> str:
        return name_of(self.result.class_names[number], self.longest_name)

    def _column_name(self, x: float, column: int) -> str:
        if self.slanted:
            place = f'class="name" transform="translate({x - 2:.1f} {self.top - 6:.1f}) rotate(-45)"'
        else:
            place = f'class="name middle" x="{x:.1f}" y="{self.top - 8:.1f}"'
        return f"<text {place}>{self._name(column)}</text>"

    def _cell(self, x: float, y: float, row: int, column: int) -> Iterator[str]:
        count, share = int(self.result.model.confusion_matrix[row, column]), float(self.shares[row, column])
        side = f"{self.size - (1.5 if self.size > 12 else 0.5):.1f}"
        corner = f"{min(self.size / 9, 7):.1f}"
        place = f'x="{x:.1f}" y="{y:.1f}" width="{side}" height="{side}" rx="{corner}"'
        yield f'<rect class="cell" {place}/>'
        if count:
            kind = "right-cell" if row == column else "wrong-cell"
            names = self.result.class_names
            title = escape_text(f"{count:,} of {names[row]}, predicted {names[column]}: {share:.1%}")
            yield f'<rect class="{kind}" {place} fill-opacity="{0.12 + 0.88 * share:.3f}">'
            yield f"<title>{title}</title></rect>"
        if len(self.rows) <= COUNTED_CLASSES:
            text = f"{count:,}" if count < 1e5 else f"{count:.1e}"
            on = " on" if share > 0.5 else ""
            middle = self.size / 2
            yield f'<text class="count{on}" x="{x + middle:.1f}" y="{y + middle + 4:.1f}">{text}</text>'


def draw_confusion(result: Classification) -> str:
    """Return the card of the heat map: shares of the rows of each true class."""
    heat_map = _arrange(result)
    accuracy = f"{result.model.accuracy:.1%}"
    image = (
        f'<svg class="plot" viewBox="0 0 {WIDTH} {heat_map.height:.0f}" role="img" aria-label="Confusion '
        f'matrix: {accuracy} of the rows are on the diagonal">{"".join(heat_map.draw())}</svg>'
    )
    drawn, classes = len(heat_map.rows), len(result.class_names)
    omitted = "" if drawn == classes else f" The {drawn} classes with the most rows, of {classes}."
    caption = f"Rows by true and predicted class: {accuracy} are on the diagonal.{omitted}"
    return figure("Confusion matrix", caption, image)


def _arrange(result: Classification) -> HeatMap:
    matrix, names = result.model.confusion_matrix, result.class_names
    totals = matrix.sum(axis=1, keepdims=True)
    rows = np.sort(np.argsort(-totals[:, 0], kind="stable")[:DRAWN_CLASSES]).tolist()
    predicted = [row for row in rows if row < len(names) - result.unknown_classes]
    longest = NAME_COLUMNS if len(rows) <= COUNTED_CLASSES else NAME_COLUMNS_OF_MANY
    widest = max(min(columns(names[row]), longest) for row in rows) * COLUMN
    room = WIDTH - widest - 32
    slanted = min(room / max(len(predicted), 1), LARGEST_CELL) < widest + 4
    room -= widest * SLANTED if slanted else 0
    size = min(room / max(len(predicted), 1), LARGEST_CELL)
    return HeatMap(
        result=result,
        shares=divide(matrix, totals),
        rows=rows,
        predicted=predicted,
        left=widest + 26 + (room - size * len(predicted)) / 2,
        top=22 + (widest * SLANTED + 10 if slanted else 22),
        size=size,
        slanted=slanted,
        longest_name=longest,
    )


def list_confusions(result: Classification) -> Iterator[str]:
    """Yield the card of the most frequent wrong predictions, if there are many classes and any errors."""
    if len(result.class_names) <= FEW_CLASSES:
        return
    matrix = result.model.confusion_matrix
    wrong: Array = matrix * (1 - np.eye(len(matrix), dtype=np.int64))
    order = np.argsort(-wrong, axis=None, kind="stable")[:MOST_CONFUSIONS]
    rows = []
    for row, column in zip(*np.unravel_index(order, wrong.shape), strict=True):
        if wrong[row, column]:
            names = (name_of(result.class_names[place], 28) for place in (row, column))
            share = wrong[row, column] / matrix[row].sum()
            rows.append([*names, f"{int(wrong[row, column]):,}", f"{share:.1%}"])
    if rows:
        yield table("Most frequent confusions", ["True", "Predicted", "Rows", "Of the class"], rows)
