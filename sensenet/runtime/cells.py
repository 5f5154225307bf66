"""Single values of dicts, data frames and CSV files: which are missing, and the text of the others.

| value | meaning |
|---|---|
| None, NaN (float, NumPy, Decimal), NA and NaT of pandas, a masked value | missing |
| text, a number, True or False, a date | its text |
| anything else, such as a list, bytes, or a date with a time | no text |
"""

from __future__ import annotations

import datetime
import functools
import math
import re
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from sensenet.errors import InputError
from sensenet.ir.types import Array
from sensenet.records import frozen


@frozen
class CodedCells:
    """A column as its `values`, and the position of each cell among them: i[cells], -1 for the last.

    Values are read once, and not once a cell; see `read_values`. Some may be those of no cell.
    """

    values: list[Any]
    positions: Array

    def __len__(self) -> int:
        return len(self.positions)

    def __iter__(self) -> Iterator[Any]:
        return map(self.values.__getitem__, self.positions.tolist())


Cells = list[Any] | Array | CodedCells
"""A column: a list, a 1-D array, or values with positions."""

CellReader = Callable[[Cells], Cells]
"""Converts the values of a column to cells; raises InputError naming the row and column of a bad value."""

INTEGER_SIZED = "?bBhHiIlLqQefd"
"""The dtypes of numbers with as many bits as an integer dtype: all but the longest floats."""

MOST_EXACT = 2**53
"""Floats of this size and more may be several integers."""

MOST_DIGITS = 40
"""The most digits of a number: a Decimal may have millions."""

NOT_NUMBERS = (np.datetime64, np.timedelta64, np.complexfloating, bytes, bytearray, memoryview)
"""Types whose values are not numbers, although `float` reads them."""

WITHOUT_TEXT = (datetime.datetime, np.timedelta64)
"""Types without a usual text among the subclasses of those that have one."""

WHOLE = re.compile(r"[-+]?\d+\.0+")
NAN = re.compile(r"\s*[-+]?nan\s*", re.IGNORECASE)

LONGEST_TEXT = 60
"""Longer values are described in error messages by their type."""


def is_missing(value: Any) -> bool:
    """Return whether a value is None, NaN, or a missing value of NumPy or pandas."""
    if value is None or isinstance(value, str | int):
        return value is None
    if isinstance(value, float):
        return math.isnan(value)
    if isinstance(value, np.floating):
        return bool(np.isnan(value))
    import decimal  # not needed for a row of numbers and texts

    if isinstance(value, decimal.Decimal):
        return value.is_nan()
    if isinstance(value, np.datetime64 | np.timedelta64):
        return bool(np.isnat(value))
    kind = type(value)
    return value is np.ma.masked or (
        kind.__name__ in ("NAType", "NaTType") and kind.__module__.startswith("pandas.")
    )


def is_missing_number(value: Any) -> bool:
    """Return whether a value is missing, or the text of NaN, which `float` would read as a number."""
    if isinstance(value, str):
        return ("n" in value or "N" in value) and NAN.fullmatch(value) is not None
    return is_missing(value)


def read_number(value: Any) -> Any:
    """Return the value, or None if it is missing; raises TypeError for one of NOT_NUMBERS."""
    if is_missing_number(value):
        return None
    if isinstance(value, NOT_NUMBERS):
        raise TypeError(f"{type(value).__name__} is not a number")
    return value


def read_text(value: Any, known: Container[str]) -> str:
    """Return the text of a value that is not missing.

    The text of a number has no superfluous digits: 1.0 becomes "1", unless the longer text is known. Raises
    TypeError for a value without text, ValueError for an integer of thousands of digits.
    """
    if isinstance(value, str):
        return str.__str__(value)  # an enum's own `str` is its name
    if not isinstance(value, _types_with_text()) or isinstance(value, WITHOUT_TEXT):
        raise TypeError(f"{type(value).__name__} has no text")
    text = str(value)
    return _shorten(value, text) if isinstance(value, _inexact_types()) and text not in known else text


def read_name(value: Any, known: Container[str]) -> str:
    """Return the text of a category or an item like `read_text`, but the text "1.0" also matches "1"."""
    text = read_text(value, known)
    if text not in known and WHOLE.fullmatch(text):
        shorter = text.partition(".")[0]
        return shorter if shorter in known else text
    return text


def read_class(value: Any, known: Container[str]) -> str:
    """Return the name of a true class like `read_name`, but True also matches "true", as CSV has it."""
    name = read_name(value, known)
    return name.lower() if isinstance(value, bool) and name not in known else name


@functools.cache
def _types_with_text() -> tuple[type, ...]:
    """Return the types whose `str` is the usual text.

    A date with a time is excluded: it is written in many ways.
    """
    from fractions import Fraction

    return (*_inexact_types(), str, int, Fraction, datetime.date, np.bool_, np.integer)


@functools.cache
def _inexact_types() -> tuple[type, ...]:
    """Return the types of numbers that may be written with more digits than they need: 1.0, 1.50."""
    from decimal import Decimal

    return float, np.floating, Decimal


def _shorten(value: Any, text: str) -> str:
    """Return the text of a number without superfluous digits."""
    import decimal

    if isinstance(value, decimal.Decimal):
        short = value.is_finite() and abs(value.adjusted()) < MOST_DIGITS
        return f"{value.normalize():f}" if short else text
    number = float(value)
    return str(int(number)) if abs(number) < MOST_EXACT and number.is_integer() else text


def find_distinct(cells: Array) -> tuple[Array, Array]:
    """Return the distinct numbers among cells of a dtype in INTEGER_SIZED, and each cell's position in them.

    Numbers are compared by their bits, like their text: 0.0 is not -0.0.
    """
    bits = np.ascontiguousarray(cells).view(f"u{cells.dtype.itemsize}")
    distinct, positions = np.unique(bits, return_inverse=True)
    return distinct.view(cells.dtype), positions


def read_values(read: Callable[[Cells], Sequence[Cells]], cells: Cells) -> Sequence[Cells]:
    """Return the columns that `read` makes of cells; of coded cells, it reads each value once.

    If it raises InputError for a value, it reads all cells: the value may be that of none, and the error
    names a row.
    """
    if not isinstance(cells, CodedCells):
        return read(cells)
    try:
        columns = read(cells.values)
    except InputError:
        return read(list(cells))
    return [gather(column, cells.positions) for column in columns]


def gather(values: Cells, positions: Array) -> Cells:
    """Return the column with the values at some positions."""
    return values[positions] if isinstance(values, np.ndarray) else CodedCells(list(values), positions)


def find_repeated(names: Iterable[Any]) -> Any:
    """Return the first of the names that is there more than once; None if there is none."""
    return next((name for name, count in Counter(names).items() if count > 1), None)


def describe(value: Any) -> str:
    """Return a description of a value for error messages: its `repr`, or its type if that is long."""
    try:
        text = repr(value.item() if isinstance(value, np.generic) else value)
    except Exception:  # an integer of thousands of digits, lists too deep, or any fault of a class
        text = ""
    return text if 0 < len(text) <= LONGEST_TEXT else f"an object of type {type(value).__name__}"
