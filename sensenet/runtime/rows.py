"""Encodes rows as the tensor `numeric_inputs`: f32[rows, columns], one column per feature column.

| column | cell | number |
|---|---|---|
| numeric | anything that `float()` accepts | that; the column's `missing` if the cell is None |
| categorical | anything | the position of `str(cell)` among the values, the first of equal ones; else -1 |
| image | – | 0 |

So in arrays of numbers, too, a category is compared as text: 1 is "1", 1.0 is "1.0". NaN in an array of
numbers counts as None; in a list it is a number.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from attrs import field

from sensenet.errors import InputError
from sensenet.ir.types import Array
from sensenet.records import frozen
from sensenet.runtime.cells import INTEGER_SIZED, Cells, CodedCells, describe, find_distinct
from sensenet.runtime.layout import RowLayout, row_layout
from sensenet.runtime.tables import Table, as_table, table_of_rows, tables_of_rows
from sensenet.signature import CategoricalColumn, Column, NumericColumn, Signature

UNKNOWN = -1
"""The code of a category that is not among a column's values."""

ENCODED_AT_ONCE = 4096
"""Rows that are encoded together, column by column: they fit the processor's cache."""

FEW_ROWS = 16
"""Up to this number of rows, reading them takes no time worth compiling for."""

FEW_CELLS = 64
"""Up to this number, converting every cell to text is faster than finding the distinct cells of an array."""

CellEncoder = Callable[[Any], float]
CellsEncoder = Callable[[Cells], Sequence[float] | Array]
RowsReader = Callable[[Sequence[Sequence[Any]]], Array]


@frozen(kw_only=True)
class ColumnEncoder:
    """Encodes one cell of a column, or many, as numbers. Both raise the exceptions of `float()`.

    `reads` names the kind of value, for errors, and `missing` is the number for None.
    """

    index: int
    reads: str
    missing: float
    encode_cell: CellEncoder
    encode_cells: CellsEncoder


@frozen(kw_only=True)
class RowEncoder:
    """Encodes rows; made by `row_encoder`."""

    columns: tuple[ColumnEncoder, ...]
    layout: RowLayout
    takes_numbers: bool
    """Whether each cell is a number and belongs to the column at its position."""
    read_rows: RowsReader | None = None
    """Reads many rows of cells, if it can: see `Executable`."""
    cells: tuple[tuple[int, CellEncoder], ...] = field(init=False)
    """Each column's position in a row, and its encoder of a cell."""

    @cells.default
    def _cells(self) -> tuple[tuple[int, CellEncoder], ...]:
        return tuple((column.index, column.encode_cell) for column in self.columns)

    def encode(self, table: Table) -> Array:
        """Return f32[rows, columns], possibly the caller's own array.

        Raises InputError naming the row and column of a cell that cannot be read.
        """
        numbers = table.numbers
        if self.takes_numbers and numbers is not None and numbers.shape[1] == len(self.columns):
            return self._fill_missing(numbers)
        if self.read_rows is not None and table.rows is not None and table.length > FEW_ROWS:
            try:
                return self.read_rows(table.rows)
            except Exception:  # such as a text of a number, which the other way takes
                pass
        result = np.empty((table.length, len(self.columns)), np.float32)
        encoded = [self._encode_column(table.cells(column.index), column) for column in self.columns]
        with np.errstate(over="ignore"):
            for start in range(0, table.length, ENCODED_AT_ONCE):
                for position, numbers in enumerate(encoded):
                    part = numbers[start : start + ENCODED_AT_ONCE] if len(numbers) > 1 else numbers
                    result[start : start + ENCODED_AT_ONCE, position] = part
        return result

    def find_errors(self, x: Any) -> dict[int, InputError]:
        """Return the errors of the rows of a data frame that cannot be read, by their numbers.

        Each is what `encode` raises for a table of the row alone. Only the columns that cannot be read as a
        whole are read row by row.
        """
        whole = as_table(x, self.layout)
        columns = [column for column in self.columns if self._find_error(whole, [column])]
        found = map(partial(self._find_error, columns=columns), tables_of_rows(x, self.layout))
        return {row: error for row, error in enumerate(found) if error} if columns else {}

    def _find_error(self, table: Table, columns: Sequence[ColumnEncoder]) -> InputError | None:
        """Return the first error of some columns, if any."""
        try:
            for column in columns:
                self._encode_column(table.cells(column.index), column)
        except InputError as error:
            return type(error)(str(error))  # not its traceback, which keeps a table for each row
        return None

    def _encode_column(self, cells: Cells, column: ColumnEncoder) -> Array:
        """Return f[rows], or f[1] if all rows have the same number."""
        if isinstance(cells, CodedCells):
            with contextlib.suppress(Exception):  # the value may be that of no cell
                numbers = np.asarray(column.encode_cells(cells.values))
                return numbers[cells.positions] if len(numbers) > 1 else numbers
            cells = list(cells)
        try:
            return np.asarray(column.encode_cells(cells))
        except Exception as error:  # anything that a cell's class raises
            raise self._blame(cells, column, error) from error

    def _fill_missing(self, numbers: Array) -> Array:
        """Return the array itself, or a copy with each NaN replaced by its column's missing number."""
        with np.errstate(over="ignore"):
            if not np.isnan(np.vdot(numbers, numbers)):  # ten times as fast as testing each number
                return numbers
        missing = np.array([column.missing for column in self.columns], np.float32)
        return np.where(np.isnan(numbers), missing, numbers)

    def encode_values(self, row: Sequence[Any]) -> list[float]:
        """Return the number of each column for a row of cells; raises whatever a cell raises."""
        return [encode(row[index]) for index, encode in self.cells]

    def encode_row(self, row: Sequence[Any]) -> Array:
        """Return f32[1, columns] for one row of cells, like `encode`, but faster."""
        try:
            values = self.encode_values(row)
        except Exception:  # anything that a cell's class raises
            return self.encode(table_of_rows([row], self.layout))  # names the cell
        with np.errstate(over="ignore"):
            return np.array([values], np.float32)

    def _blame(self, cells: Cells, column: ColumnEncoder, error: Exception) -> InputError:
        """Return the error for a column that cannot be encoded, naming the cell."""
        where = self.layout.describe(column.index)
        for number, cell in enumerate(cells):
            try:
                column.encode_cell(cell)
            except Exception:  # anything that the cell's class raises
                return InputError(f"row {number}, {where}: cannot read {describe(cell)} as {column.reads}")
        return InputError(f"{where}: {error}")


def row_encoder(signature: Signature, read_rows: RowsReader | None = None) -> RowEncoder:
    """Return the encoder of a model's rows; `read_rows` reads many faster: see `Executable`."""
    return RowEncoder(
        columns=tuple(_column_encoder(column) for column in signature.columns),
        layout=row_layout(signature),
        takes_numbers=all(
            isinstance(column, NumericColumn) and column.index == position
            for position, column in enumerate(signature.columns)
        ),
        read_rows=read_rows,
    )


def _column_encoder(column: Column) -> ColumnEncoder:
    match column:
        case NumericColumn():
            return _numeric_encoder(column)
        case CategoricalColumn():
            return _categorical_encoder(column)
    return ColumnEncoder(
        index=column.index,
        reads="an image",
        missing=0.0,
        encode_cell=lambda _: 0.0,
        encode_cells=lambda _: [0.0],
    )


def _numeric_encoder(column: NumericColumn) -> ColumnEncoder:
    missing = column.missing

    def encode_cells(cells: Cells) -> Sequence[float] | Array:
        if isinstance(cells, np.ndarray) and cells.dtype.kind in "biuf":
            return _fill_missing_cells(cells, cells, missing)
        return [missing if cell is None else float(cell) for cell in cells]

    return ColumnEncoder(
        index=column.index,
        reads="a number",
        missing=missing,
        encode_cell=lambda cell: missing if cell is None else float(cell),
        encode_cells=encode_cells,
    )


def _categorical_encoder(column: CategoricalColumn) -> ColumnEncoder:
    codes = column.codes
    missing = codes.get(str(None), UNKNOWN)

    def encode_cells(cells: Cells) -> Sequence[float] | Array:
        if isinstance(cells, np.ndarray) and cells.dtype.char in INTEGER_SIZED and len(cells) > FEW_CELLS:
            return _fill_missing_cells(_codes_of_numbers(cells, codes), cells, missing)
        found = [codes.get(str(cell), UNKNOWN) for cell in cells]
        if isinstance(cells, np.ndarray):
            return _fill_missing_cells(np.array(found), cells, missing)
        return found

    return ColumnEncoder(
        index=column.index,
        reads="a category",
        missing=missing,
        encode_cell=lambda cell: codes.get(str(cell), UNKNOWN),
        encode_cells=encode_cells,
    )


def _fill_missing_cells(numbers: Array, cells: Array, missing: float) -> Array:
    """Return the numbers of an array's cells, with `missing` for NaN."""
    absent = np.isnan(cells) if cells.dtype.kind == "f" else np.False_
    if numbers.dtype == np.float16:  # which would round the number for missing cells
        numbers = numbers.astype(np.float32)
    return np.where(absent, missing, numbers) if absent.any() else numbers


def _codes_of_numbers(cells: Array, codes: Mapping[str, int]) -> Array:
    """Return the codes of numbers compared as text, looking up each distinct number once."""
    distinct, positions = find_distinct(cells)
    return np.array([codes.get(str(number), UNKNOWN) for number in distinct], np.float32)[positions]
