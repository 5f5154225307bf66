"""Rows in whatever form a caller has them, seen as columns.

| form | meaning |
|---|---|
| list or tuple of cells, 1-D array, dict, Series | one row |
| list or tuple of those, 2-D array | rows |
| data frame (pandas, Polars) | rows; by name, or by position where its columns have no names |

The first item of a list decides whether it is a row or rows. In lists and arrays only None is missing: NaN is
a number like others. In data frames whatever their library calls missing is, NaN of pandas too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from attrs import frozen

from sensenet.errors import InputError, InputTypeError
from sensenet.ir.types import Array
from sensenet.runtime.field_cells import Cells
from sensenet.runtime.layout import RowLayout

CELL_KINDS = "biufOUST"
"""The kinds of dtype that cells may have: numbers, objects, text."""

LONGEST_TEXT = 60
"""Longer things are described in error messages by their type."""


@frozen(kw_only=True)
class Table:
    """Rows as columns. `cells(index)` gives the cells that stand at an index of each row.

    It raises InputError where a row is too short; None stands for a missing cell. `numbers` is f32[rows,
    cells] in C order, where the rows are such an array already.
    """

    length: int
    cells: Callable[[int], Cells]
    numbers: Array | None = None


def as_table(x: Any, layout: RowLayout) -> Table:
    """The rows in an argument; raises InputError, or InputTypeError for what can't hold rows."""
    if isinstance(x, list | tuple):
        return _table_of_list(x, layout)
    if isinstance(x, np.ndarray):
        return _table_of_array(x, layout)
    if isinstance(x, Mapping):
        return _table_of_mappings([x], layout)
    if is_frame(x):
        return _table_of_frame(x, layout)
    if is_series(x):
        return _table_of_mappings([_row_of_series(x)], layout)
    if hasattr(x, "__array__"):
        return _table_of_array(np.asarray(x), layout)
    raise InputTypeError(
        f"expected a row (a list of cells, a dict by field name), a list of rows, an array or a data frame; "
        f"found {describe(x)}"
    )


def is_row(item: Any) -> bool:
    """Whether the first item of a list is a row, so that the list is one of rows."""
    flat = isinstance(item, np.ndarray) and item.ndim == 1
    return flat or isinstance(item, list | tuple | Mapping) or is_series(item)


def is_frame(x: Any) -> bool:
    """Whether this is a data frame: pandas and Polars have these in common."""
    return hasattr(x, "columns") and hasattr(x, "to_numpy") and hasattr(x, "shape")


def is_series(x: Any) -> bool:
    """Whether this is a pandas Series: one row of a frame."""
    return hasattr(x, "index") and hasattr(x, "items") and hasattr(x, "to_numpy")


def describe(x: Any) -> str:
    """An argument or cell in an error message: as Python writes it, or its type where that is long."""
    try:
        text = repr(x.item() if isinstance(x, np.generic) else x)
    except ValueError:  # an integer of thousands of digits
        text = ""
    return text if 0 < len(text) <= LONGEST_TEXT else f"an object of type {type(x).__name__}"


def table_of_rows(rows: Sequence[Sequence[Any]], layout: RowLayout) -> Table:
    """Rows that are lists or tuples of cells."""

    def cells(index: int) -> list[Any]:
        try:
            return [row[index] for row in rows]
        except IndexError:
            number = next(number for number, row in enumerate(rows) if len(row) < layout.width)
            raise _too_short(f"row {number}", len(rows[number]), layout) from None

    return Table(length=len(rows), cells=cells)


def _too_short(what: str, width: int, layout: RowLayout) -> InputError:
    return InputError(f"{what} is too short: it has {width} of the {layout.width} cells that the model reads")


def _table_of_list(x: Sequence[Any], layout: RowLayout) -> Table:
    if not x:
        raise InputError("the list is empty: expected a row of cells, or a list of rows")
    if not is_row(x[0]):
        return table_of_rows([x], layout)
    if isinstance(x[0], Mapping) or is_series(x[0]):
        return _table_of_mappings([_as_mapping(number, row) for number, row in enumerate(x)], layout)
    if all(issubclass(kind, list | tuple) for kind in set(map(type, x))):
        return table_of_rows(x, layout)
    return table_of_rows([_as_sequence(number, row) for number, row in enumerate(x)], layout)


def _as_sequence(number: int, row: Any) -> Sequence[Any]:
    if isinstance(row, list | tuple):
        return row
    if isinstance(row, np.ndarray) and row.ndim == 1:
        return list(row)
    raise InputTypeError(f"row {number}: expected a list of cells, as row 0 is; found {describe(row)}")


def _as_mapping(number: int, row: Any) -> Mapping[Any, Any]:
    if isinstance(row, Mapping):
        return row
    if is_series(row):
        return _row_of_series(row)
    raise InputTypeError(f"row {number}: expected a dict by field name, as row 0 is; found {describe(row)}")


def _table_of_mappings(rows: Sequence[Mapping[Any, Any]], layout: RowLayout) -> Table:
    found = layout.find(dict.fromkeys(key for row in rows for key in row))

    def values(position: int) -> Cells:
        match found.get(position, ()):
            case [key]:
                return [row.get(key) for row in rows]
            case [id_, name]:
                return [row.get(id_, row.get(name)) for row in rows]
        return [None] * len(rows)

    return _table_of_fields(len(rows), values, layout)


def _table_of_fields(length: int, values: Callable[[int], Cells], layout: RowLayout) -> Table:
    """Rows whose values are given field by field: `values` gives those of a field, None where missing."""
    columns: dict[int, Sequence[Cells]] = {}

    def cells(index: int) -> Cells:
        position, offset = layout.owners[index]
        if position not in columns:
            columns[position] = layout.encoders[position](values(position))
        return columns[position][offset]

    return Table(length=length, cells=cells)


def _table_of_array(x: Array, layout: RowLayout) -> Table:
    if isinstance(x, np.ma.MaskedArray):
        x = _with_none(x, np.broadcast_to(x.mask, x.shape))
    if x.ndim not in (1, 2):
        raise InputError(
            f"expected an array of one row [cells] or of rows [rows, cells]; found {list(x.shape)}"
        )
    if x.dtype.kind not in CELL_KINDS:
        raise InputTypeError(f"an array of dtype {x.dtype} holds no cells: expected numbers, text or objects")
    rows = x if x.ndim == 2 else x[None]

    def cells(index: int) -> Array:
        try:
            return rows[:, index]
        except IndexError:
            raise _too_short("each row", rows.shape[1], layout) from None

    ready = type(rows) is np.ndarray and rows.dtype == np.float32 and rows.flags.c_contiguous
    return Table(length=len(rows), cells=cells, numbers=rows if ready else None)


def _table_of_frame(frame: Any, layout: RowLayout) -> Table:
    keys = list(frame.columns)
    if len(set(keys)) < len(keys):
        doubled = next(key for key in keys if keys.count(key) > 1)
        raise InputError(f"the data frame has several columns {doubled!r}")
    if not layout.fields or keys == list(range(len(keys))):
        return _frame_by_position(frame, keys, layout)
    found = layout.find(keys)

    def values(position: int) -> Cells:
        given = found.get(position)
        return _cells_of_series(frame[given[0]]) if given else [None] * len(frame)

    return _table_of_fields(len(frame), values, layout)


def _frame_by_position(frame: Any, keys: list[Any], layout: RowLayout) -> Table:
    def cells(index: int) -> Cells:
        try:
            return _cells_of_series(frame[keys[index]])
        except IndexError:
            raise _too_short("each row", len(keys), layout) from None

    return Table(length=len(frame), cells=cells)


def _cells_of_series(series: Any) -> Cells:
    """The cells of a frame's column, with None where one is missing."""
    cells: Array = series.to_numpy()
    missing = np.asarray(series.isna() if hasattr(series, "isna") else series.is_null())
    return _with_none(cells, missing) if missing.any() else cells


def _with_none(cells: Array, missing: Array) -> Array:
    """A copy of the cells, with None where one is missing."""
    copy = np.array(cells, object)
    copy[missing] = None
    return copy


def _row_of_series(series: Any) -> Mapping[Any, Any]:
    return dict(zip(series.index, _cells_of_series(series), strict=True))
