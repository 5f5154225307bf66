"""Reads rows in all the forms that callers may pass, as columns.

| form | meaning |
|---|---|
| list or tuple of cells, 1-D array, dict, pandas Series, record | one row |
| list or tuple of those, 2-D array, array of records | rows |
| data frame, Arrow table | rows; by name, or by position if the model or the frame has no names |

The first item of a list decides whether it is a row or rows. NaN is missing, except in lists and tuples of
cells: there only None is, as in the published package.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from sensenet.errors import InputError, InputTypeError
from sensenet.ir.types import Array
from sensenet.records import frozen
from sensenet.runtime.cells import Cells, describe, is_missing
from sensenet.runtime.frames import Frame, cells_of_array, is_series, open_frame, records_frame, row_of_series
from sensenet.runtime.layout import RowLayout

CELL_KINDS = "biufOUST"
"""The dtype kinds of cells: numbers, objects, text."""


@frozen(kw_only=True)
class Table:
    """Rows as columns. `cells(index)` returns the cells at an index of each row.

    It raises InputError if a row is too short; a missing cell is None. `numbers` is f32[rows, cells] in C
    order, if the rows are such an array already; `rows` are lists or tuples of cells, if they are such.
    """

    length: int
    cells: Callable[[int], Cells]
    numbers: Array | None = None
    rows: Sequence[Sequence[Any]] | None = None


def as_table(x: Any, layout: RowLayout) -> Table:
    """Return the rows in an argument; raise InputError, or InputTypeError for an unsupported type."""
    if isinstance(x, list | tuple):
        return _table_of_list(x, layout)
    if is_records(x):
        return _table_of_frame(records_frame(np.asanyarray(x)), layout)
    if isinstance(x, np.ndarray):
        return _table_of_array(x, layout)
    if isinstance(x, Mapping):
        return _table_of_mappings([x], layout)
    if is_series(x):
        return _table_of_mappings([row_of_series(x)], layout)
    frame = open_frame(x)
    if frame is not None:
        return _table_of_frame(frame, layout)
    raise InputTypeError(
        f"expected a row (a list of cells, a dict by field name), a list of rows, an array or a data frame; "
        f"found {describe(x)}"
    )


CELL_TYPES = frozenset((float, int, str, bool, type(None)))
"""Types of most cells, which are told from rows by one look."""


def is_row(item: Any) -> bool:
    """Return whether the first item of a list is a row, which makes it a list of rows."""
    if type(item) in CELL_TYPES:
        return False
    flat = isinstance(item, np.ndarray) and item.ndim == 1
    return flat or isinstance(item, list | tuple | Mapping | np.void) or is_series(item)


def is_records(x: Any) -> bool:
    """Return whether `x` is a structured array or one record of it."""
    return isinstance(x, np.ndarray | np.void) and x.dtype.names is not None


def table_of_rows(rows: Sequence[Sequence[Any]], layout: RowLayout) -> Table:
    """Return the table of rows that are lists or tuples of cells."""

    def cells(index: int) -> list[Any]:
        try:
            return [row[index] for row in rows]
        except IndexError:
            number = next(number for number, row in enumerate(rows) if len(row) < layout.width)
            raise _too_short(f"row {number}", len(rows[number]), layout) from None

    return Table(length=len(rows), cells=cells, rows=rows)


def _too_short(what: str, width: int, layout: RowLayout) -> InputError:
    return InputError(f"{what} is too short: it has {width} of the {layout.width} cells that the model reads")


def _table_of_list(x: Sequence[Any], layout: RowLayout) -> Table:
    if not x:
        raise InputError("the list is empty: expected a row of cells, or a list of rows")
    if not is_row(x[0]):
        return table_of_rows([x], layout)
    if isinstance(x[0], Mapping) or is_series(x[0]) or is_records(x[0]):
        return _table_of_mappings([_as_mapping(number, row) for number, row in enumerate(x)], layout)
    if all(issubclass(kind, list | tuple) for kind in set(map(type, x))):
        return table_of_rows(x, layout)
    return table_of_rows([_as_sequence(number, row) for number, row in enumerate(x)], layout)


def _as_sequence(number: int, row: Any) -> Sequence[Any]:
    if isinstance(row, list | tuple):
        return row
    if isinstance(row, np.ndarray) and row.ndim == 1 and not is_records(row):
        return _without_missing(cells_of_array(row))
    raise InputTypeError(f"row {number}: expected a list of cells, like row 0; found {describe(row)}")


def _without_missing(cells: Cells) -> list[Any]:
    """Return the cells, with None for each missing one."""
    return [None if is_missing(cell) else cell for cell in cells]


def _as_mapping(number: int, row: Any) -> Mapping[Any, Any]:
    if isinstance(row, Mapping):
        return row
    if is_series(row):
        return row_of_series(row)
    if isinstance(row, np.void) and row.dtype.names:
        return {name: row[name] for name in row.dtype.names}
    raise InputTypeError(f"row {number}: expected a dict by field name, like row 0; found {describe(row)}")


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
    """Return the table of values by field: `values` returns those of a field, None if missing."""
    columns: dict[int, Sequence[Cells]] = {}

    def cells(index: int) -> Cells:
        position, offset = layout.owners[index]
        if position not in columns:
            columns[position] = layout.encoders[position](values(position))
        return layout.readers[index](columns[position][offset])

    return Table(length=length, cells=cells)


def _table_of_array(x: Array, layout: RowLayout) -> Table:
    masked = isinstance(x, np.ma.MaskedArray)
    plain = np.asarray(x)  # other classes, such as np.matrix, index differently
    if plain.ndim not in (1, 2):
        raise InputError(
            f"expected an array of one row [cells] or of rows [rows, cells]; found {list(plain.shape)}"
        )
    if plain.dtype.kind not in CELL_KINDS:
        raise InputTypeError(f"cannot read cells of dtype {plain.dtype}: expected numbers, text or objects")
    rows = np.atleast_2d(x if masked else plain)

    def cells(index: int) -> Cells:
        try:
            column = rows[:, index]
        except IndexError:
            raise _too_short("each row", rows.shape[1], layout) from None
        found = cells_of_array(column) if masked else column
        return found if _is_numeric(found) else _without_missing(found)

    ready = not masked and rows.dtype == np.float32 and rows.flags.c_contiguous
    return Table(length=len(rows), cells=cells, numbers=rows if ready else None)


def _is_numeric(cells: Cells) -> bool:
    return isinstance(cells, np.ndarray) and cells.dtype.kind in "biuf"


def _table_of_frame(frame: Frame, layout: RowLayout) -> Table:
    if not layout.fields or frame.names == list(range(len(frame.names))):
        return _frame_by_position(frame, layout)
    found = layout.find(frame.names)

    def values(position: int) -> Cells:
        given = found.get(position)
        return frame.column(given[0]) if given else [None] * frame.length

    return _table_of_fields(frame.length, values, layout)


def tables_of_rows(x: Any, layout: RowLayout) -> Iterator[Table]:
    """Yield a table for each row of a data frame, reading each column of the frame once, if it is needed.

    Raises what `as_table` raises.
    """
    frame = open_frame(x)
    if frame is None:
        raise InputTypeError(f"expected a data frame, found {describe(x)}")
    columns: dict[Any, Cells] = {}

    def cell(name: Any, row: int) -> Cells:
        if name not in columns:
            cells = frame.column(name)
            columns[name] = cells if isinstance(cells, np.ndarray) else list(cells)
        return columns[name][row : row + 1]  # type: ignore[index]

    for row in range(frame.length):
        alone = Frame(names=frame.names, length=1, column=partial(cell, row=row))
        yield _table_of_frame(alone, layout)


def _frame_by_position(frame: Frame, layout: RowLayout) -> Table:
    def cells(index: int) -> Cells:
        try:
            name = frame.names[index]
        except IndexError:
            raise _too_short("each row", len(frame.names), layout) from None
        return layout.readers[index](frame.column(name))

    return Table(length=frame.length, cells=cells)
