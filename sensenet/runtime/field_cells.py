"""Encodes values given by field name as the field's columns of cells.

A value that is one of the signature's missing tokens counts as None.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np

from sensenet.errors import InputError
from sensenet.ir.types import Array
from sensenet.runtime.cells import (
    INTEGER_SIZED,
    CellReader,
    Cells,
    describe,
    find_distinct,
    is_missing,
    read_name,
    read_number,
    read_text,
    read_values,
)
from sensenet.signature import Booleans, CategoricalColumn, Column, Field, Items, Number, NumericColumn, Terms

if TYPE_CHECKING:
    from sensenet.runtime.terms import Counter

FieldEncoder = Callable[[Cells], Sequence[Cells]]
"""Encodes the values of all rows as columns; raises InputError naming the row of an invalid value."""

FEW_CELLS = 8
"""Up to this number, reading cells one by one is faster than creating an array."""

PLAIN = frozenset({type(None), bool, int, float, str})
"""Types of which `float` accepts only values that `read_number` accepts."""

UNREADABLE = (TypeError, ValueError, ArithmeticError)
"""The exceptions that reading a value raises."""


def cell_reader(column: Column, where: str) -> CellReader:
    """Return the reader of a column's values in dicts, frames and CSV files.

    The reader returns None for a missing value. `where` names the column in errors.
    """
    match column:
        case NumericColumn():
            return partial(_read_column, partial(_read_numbers, where))
        case CategoricalColumn():
            known = frozenset(value for value in column.values if value is not None)
            return partial(_read_column, partial(_read_categories, known, where))
        case _:
            return lambda cells: [None if is_missing(cell) else cell for cell in cells]


def _read_column(read: CellReader, cells: Cells) -> Cells:
    return read_values(lambda values: (read(values),), cells)[0]


def _read_numbers(where: str, cells: Cells) -> Cells:
    if _holds_numbers(cells):
        return cells  # NaN in an array is missing
    if len(cells) > FEW_CELLS and PLAIN.issuperset(map(type, cells)):
        with contextlib.suppress(ValueError, OverflowError):  # the loop below finds the cell
            return np.array([math.nan if cell is None else float(cell) for cell in cells])
    return _read_each(cells, where, "a number", read_number)


def _read_categories(known: frozenset[str], where: str, cells: Cells) -> Cells:
    if _holds_numbers(cells) and cells.dtype.kind != "f":
        return cells  # their `str` is the usual text
    if _holds_numbers(cells) and cells.dtype.char in INTEGER_SIZED:
        distinct, positions = find_distinct(cells)
        return np.array(_read_categories(known, where, list(distinct)), object)[positions]

    def read(cell: Any) -> Any:
        if isinstance(cell, str) and cell in known:
            return str.__str__(cell)  # an enum's own `str` is its name
        return None if is_missing(cell) else read_name(cell, known)

    return _read_each(cells, where, "a category", read)


def _read_each(cells: Cells, where: str, what: str, read: Callable[[Any], Any]) -> list[Any]:
    """Read each cell except None; raise InputError naming the row of one that cannot be read."""
    try:
        return [None if cell is None else read(cell) for cell in cells]
    except UNREADABLE as error:
        row, cell = next((row, cell) for row, cell in enumerate(cells) if not _is_readable(cell, read))
        raise InputError(f"row {row}, {where}: cannot read {describe(cell)} as {what}") from error


def _is_readable(cell: Any, read: Callable[[Any], Any]) -> bool:
    try:
        read(cell)
    except UNREADABLE:
        return False
    return True


def _holds_numbers(cells: Cells) -> TypeGuard[Array]:
    return isinstance(cells, np.ndarray) and cells.dtype.kind in "biuf"


def field_encoder(field: Field, missing_tokens: frozenset[str]) -> FieldEncoder:
    """Return the encoder of a field; it is prepared at first use, and may raise InputError then."""
    encode = _encoder(field)
    return partial(read_values, lambda values: encode(_without_tokens(values, missing_tokens)))


def _encoder(field: Field) -> FieldEncoder:
    match field.encoding:
        case Terms() as terms:
            from sensenet.runtime.terms import count_terms

            known = frozenset((*terms.terms, *terms.forms))
            read = partial(read_text, known=known)
            return partial(_encode_texts, cache(partial(count_terms, terms)), read, len(terms.terms), field)
        case Items() as items:
            from sensenet.runtime.terms import count_items

            read = partial(read_name, known=frozenset(items.items))
            return partial(_encode_texts, cache(partial(count_items, items)), read, len(items.items), field)
        case Number() as number:
            return partial(_encode_numbers, number, field)
        case Booleans() as booleans:
            return partial(_encode_booleans, booleans)
        case _:
            return lambda values: (values,)


def _without_tokens(values: Cells, tokens: frozenset[str]) -> Cells:
    if not tokens or _holds_numbers(values):
        return values
    return [None if isinstance(value, str) and value in tokens else value for value in values]


def _encode_texts(
    make_counter: Callable[[], Counter],
    read: Callable[[Any], str],
    width: int,
    field: Field,
    values: Cells,
) -> Sequence[Cells]:
    """Return f32[rows] for each term; a missing text has 0 of every term."""
    counts = np.zeros((len(values), width), np.float32)
    for row, value in enumerate(values):
        if is_missing(value):
            continue
        where = f'row {row}, field "{field.name}"'
        try:
            text = read(value)
        except UNREADABLE as error:
            raise InputError(f"{where}: expected text, found {describe(value)}") from error
        try:
            counts[row] = make_counter()(text)
        except InputError as error:
            raise InputError(f"{where}: {error}") from error
    return list(counts.T)


def _encode_numbers(encoding: Number, field: Field, values: Cells) -> Sequence[Cells]:
    if _holds_numbers(values) and values.dtype.kind != "f":
        return (values, np.zeros(len(values), np.float32)) if encoding.flags_missing else (values,)
    numbers = _read_each(
        values,
        f'field "{field.name}"',
        "a number",
        lambda value: read_number(_strip_affixes(value, encoding)),
    )
    missing = [number is None for number in numbers]
    if encoding.default is not None:
        numbers = [encoding.default if number is None else number for number in numbers]
        missing = [False] * len(numbers)
    if not encoding.flags_missing:
        return (numbers,)
    return [0.0 if number is None else number for number in numbers], np.array(missing, np.float32)


def _strip_affixes(value: Any, encoding: Number) -> Any:
    if not isinstance(value, str):
        return value
    return value.removeprefix(encoding.prefix).removesuffix(encoding.suffix)


def _encode_booleans(encoding: Booleans, values: Cells) -> Sequence[Cells]:
    """Return the categories of booleans and of the words true and false, unless they are categories."""
    categories = {"true": encoding.true, "false": encoding.false}

    def category(value: Any) -> Any:
        if isinstance(value, bool | np.bool_):
            return categories[str(value).lower()]
        if isinstance(value, str) and value not in categories.values():
            return categories.get(value.lower(), value)
        return value

    return ([category(value) for value in values],)
