"""Reads true values: the positions of classes, or numbers."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np

from sensenet.batches.arrow import ArrowArray, import_arrow
from sensenet.batches.outputs import OnError
from sensenet.batches.parts import Part
from sensenet.batches.text_columns import TextColumns
from sensenet.errors import InputError
from sensenet.ir.types import Array
from sensenet.records import frozen
from sensenet.runtime.cells import describe, is_missing, read_class, read_number
from sensenet.runtime.field_cells import UNREADABLE
from sensenet.signature import Signature
from sensenet.validators import FLOAT32_MAX

MOST_UNKNOWN = 100
"""The most true values that a model does not know as classes."""

TRUTH = "truth"
"""What a column of true numbers is called while it is read."""

MISSING, UNREAD = -1, -2
"""Instead of the position of a class: there is no value, or one that cannot be read."""


@frozen
class Truths:
    """The true values of a batch: i64[rows], positions of classes, or f64[rows].

    `known` bool[rows] marks the rows that have one.
    """

    values: Array
    known: Array


@attrs.define
class ClassReader:
    """Reads the names of classes, and texts that mean `missing`.

    `unknown` collects the names that are not in `classes`, in the order of the rows.
    """

    classes: tuple[str, ...]
    missing: frozenset[str]
    on_error: OnError
    unknown: dict[str, int] = attrs.field(factory=dict)

    def read(self, part: Part, name: str) -> Truths:
        """Return the positions of true classes in a column; raise InputError for what is not a name."""
        column = part.batch.column(name)
        cells, codes = _distinct(column)
        known = frozenset(self.classes)
        found = np.array([*(self._find(cell, known, name) for cell in cells), MISSING], np.int64)
        values = found[codes]
        if self.on_error == "raise" and (values == UNREAD).any():
            row = int((values == UNREAD).argmax())
            raise _unreadable(part, row, name, column[row].as_py(), "the name of a class")
        return Truths(values, values >= 0)

    def _find(self, cell: Any, known: frozenset[str], column: str) -> int:
        if is_missing(cell) or (isinstance(cell, str) and cell in self.missing - known):
            return MISSING
        try:
            name = read_class(cell, known)
        except UNREADABLE:
            return UNREAD
        if name in known:
            return self.classes.index(name)
        if name not in self.unknown and len(self.unknown) == MOST_UNKNOWN:
            raise InputError(
                f"the column {column!r} has more than {MOST_UNKNOWN} values that are not classes of the "
                f"model, such as {next(iter(self.unknown))!r:.60}: is it the one with the true values?"
            )
        return len(self.classes) + self.unknown.setdefault(name, len(self.unknown))


def _distinct(column: ArrowArray) -> tuple[list[Any], Array]:
    """Return the distinct cells of a column, and the position of each cell in them, -1 for null."""
    pa, compute = import_arrow(), import_arrow("pyarrow.compute")
    try:
        encoded = column.dictionary_encode()
    except pa.ArrowException:  # lists and structs
        return column.to_pylist(), np.arange(len(column))
    codes = compute.fill_null(encoded.indices.cast(pa.int64()), -1)  # frames of Polars have unsigned ones
    return encoded.dictionary.to_pylist(), codes.to_numpy(zero_copy_only=False)


@frozen
class NumberReader:
    """Reads numbers, or texts of them."""

    missing: frozenset[str]
    on_error: OnError
    texts: TextColumns

    def read(self, part: Part, name: str) -> Truths:
        """Return the true numbers of a column; raise InputError for one that is not in float32's range."""
        pa = import_arrow()
        original = part.batch.column(name)
        (column,) = self.texts.read(pa.RecordBatch.from_arrays([original], names=[TRUTH])).columns
        if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
            values = column.to_numpy(zero_copy_only=False).astype(np.float64)
        else:
            read = [self._read(cell) for cell in column.to_pylist()]
            values = np.array([np.nan if value is None else value for value in read], float)
        unread = np.abs(values) > FLOAT32_MAX  # no model answers more, and squares would overflow
        if self.on_error == "raise" and unread.any():
            row = int(unread.argmax())
            raise _unreadable(part, row, name, original[row].as_py(), "a number that float32 can hold")
        return Truths(values, np.abs(values) <= FLOAT32_MAX)

    def _read(self, cell: Any) -> float | None:
        """Return the number in a cell, None if it is missing, and infinity if it cannot be read."""
        try:
            value = None if isinstance(cell, str) and cell in self.missing else read_number(cell)
            return None if value is None else float(value)
        except UNREADABLE:
            return np.inf


TruthReader = ClassReader | NumberReader


def make_reader(signature: Signature, on_error: OnError) -> TruthReader:
    """Return the reader of the true values of a model's objective."""
    missing = frozenset(signature.missing_tokens)
    if signature.classes:
        return ClassReader(signature.classes, missing, on_error)
    texts = TextColumns(frozenset({TRUTH}), frozenset(), tuple(missing))
    return NumberReader(missing, on_error, texts)


def _unreadable(part: Part, row: int, name: str, cell: Any, expected: str) -> InputError:
    return InputError(f"{part.where(row)}: column {name!r}: expected {expected}, found {describe(cell)}")
