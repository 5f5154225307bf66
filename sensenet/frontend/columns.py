"""The entries of `preprocess`: one column each, and how a cell of it is encoded (SPEC §2)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from attrs import frozen

from sensenet.frontend.json.cursor import Cursor, checked_text
from sensenet.signature import CategoricalColumn, Column, Field, ImageColumn, NumericColumn
from sensenet.validators import FLOAT32_MAX

STATISTICS = (("mean", "stdev"), ("zero_value", "one_value"))
"""The two pairs that describe a numeric column; the first that is there counts."""


@frozen(kw_only=True)
class ColumnEncoding:
    """A column as the caller sees it; a number x is encoded as (x - mean) / stdev."""

    column: Column
    mean: float = 0.0
    stdev: float = 1.0


def read_columns(preprocess: Cursor) -> tuple[ColumnEncoding, ...]:
    """Return the columns in feature order; raises DocumentError naming the column that is at fault."""
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
                raise entry.error(f"{second} - {first} is beyond float32")
            statistics = {first: start, second: end}
            column = NumericColumn(index=_index(entry), missing=start, **statistics)
            return ColumnEncoding(column=column, mean=start, stdev=spread or 1.0)
    pairs = " nor ".join(f"{first} and {second}" for first, second in STATISTICS)
    raise entry.error(f"a numeric column without statistics: there are neither {pairs}")


def _categorical(entry: Cursor) -> ColumnEncoding:
    values = entry.require("values")
    known = tuple(_category(value, values.path) for value in values.sequence())
    return ColumnEncoding(column=CategoricalColumn(index=_index(entry), values=known))


def _category(value: Any, path: str) -> str | None:
    """Return the category, or None for an entry that is not text and matches no cell."""
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
"""What the cell of a column is, in the words of fields."""


def match_fields(columns: Sequence[ColumnEncoding], input_fields: tuple[Field, ...]) -> tuple[Field, ...]:
    """Return the fields whose values make a row's cells, or none if those of the resource make other
    cells."""
    cell_types = [field.cell_type for field in input_fields for _ in field.cell_names]
    indices = [encoding.column.index for encoding in columns]
    if min(indices) < 0 or max(indices) + 1 != len(cell_types):
        return ()
    same = all(cell_types[e.column.index] == CELL_TYPES[type(e.column)] for e in columns)
    return input_fields if same else ()
