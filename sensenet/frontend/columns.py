"""Reads the entries of `preprocess`: one column each, and the encoding of its cells (SPEC §2)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sensenet.frontend.json.cursor import Cursor, checked_text
from sensenet.records import frozen
from sensenet.signature import CategoricalColumn, Column, Field, ImageColumn, NumericColumn
from sensenet.validators import FLOAT32_MAX

STATISTICS = (("mean", "stdev"), ("zero_value", "one_value"))
"""The two pairs of statistics that a numeric column may have; the first that is present counts."""


@frozen(kw_only=True)
class ColumnEncoding:
    """A column of the signature, and its encoding: a number x becomes (x - mean) / stdev."""

    column: Column
    mean: float = 0.0
    stdev: float = 1.0


def read_columns(preprocess: Cursor) -> tuple[ColumnEncoding, ...]:
    """Return the columns in feature order; raises DocumentError naming an invalid column."""
    entries = preprocess.items()
    if not entries:
        raise preprocess.error("there are no columns")
    return tuple(COLUMN_TYPES[entry.require("type").choice(*COLUMN_TYPES)](entry) for entry in entries)


def _numeric(entry: Cursor) -> ColumnEncoding:
    for first, second in STATISTICS:
        if entry[first].present and entry[second].present:
            start, end = entry[first].number(), entry[second].number()
            spread = end if first == "mean" else end - start
            if abs(spread) > FLOAT32_MAX:
                raise entry.error(f"{second} - {first} is too large for float32")
            statistics = {first: start, second: end}
            column = NumericColumn(index=_index(entry), missing=start, **statistics)
            return ColumnEncoding(column=column, mean=start, stdev=spread or 1.0)
    pairs = ", or ".join(f"{first} and {second}" for first, second in STATISTICS)
    raise entry.error(f"a numeric column without statistics: expected {pairs}")


def _categorical(entry: Cursor) -> ColumnEncoding:
    values = entry.require("values")
    known = tuple(_category(value, values.path) for value in values.sequence())
    return ColumnEncoding(column=CategoricalColumn(index=_index(entry), values=known))


def _category(value: Any, path: str) -> str | None:
    """Return the category, or None for an entry that is not text, which matches no cell."""
    return checked_text(value, path) if isinstance(value, str) else None


def _image(entry: Cursor) -> ColumnEncoding:
    return ColumnEncoding(column=ImageColumn(index=_index(entry)))


def _index(entry: Cursor) -> int:
    return entry.require("index").integer()


COLUMN_TYPES: dict[str, Callable[[Cursor], ColumnEncoding]] = {
    "numeric": _numeric,
    "categorical": _categorical,
    "image": _image,
}

CELL_TYPES: dict[type[Any], str] = {
    NumericColumn: "numeric",
    CategoricalColumn: "categorical",
    ImageColumn: "image",
}
"""The type of a column's cells, as `Field.cell_type` names it."""


def match_fields(columns: Sequence[ColumnEncoding], input_fields: tuple[Field, ...]) -> tuple[Field, ...]:
    """Return the fields of the resource if their cells are those that the columns read, else none."""
    cell_types = [field.cell_type for field in input_fields for _ in field.cell_names]
    indices = [encoding.column.index for encoding in columns]
    if min(indices) < 0 or max(indices) + 1 != len(cell_types):
        return ()
    same = all(cell_types[e.column.index] == CELL_TYPES[type(e.column)] for e in columns)
    return input_fields if same else ()
