"""Reads the rows that `sensenet explain` is given: in JSON, as pairs, or in tables."""

from __future__ import annotations

import contextlib
import json
import random
import re
from collections.abc import Collection, Iterator, Sequence
from itertools import chain, islice
from typing import Any

from sensenet.batches.compression import open_input
from sensenet.batches.table_files import CSV, TableFile, expand_paths, find_format
from sensenet.cli.pairs import are_pairs, read_pairs
from sensenet.cli.predict_rows import row_reader
from sensenet.errors import InputError
from sensenet.models.deepnet import Deepnet
from sensenet.records import frozen
from sensenet.runtime.layout import RowLayout, row_layout
from sensenet.runtime.row_files import RowFile

Row = dict[str, Any] | list[Any]

ROW_NUMBER = re.compile(r"row (\d+)(?:, |: )")
"""How an error begins that is about one of some rows."""


@frozen(kw_only=True)
class Sample:
    """Some rows of a table in their order, how many it has, and the true values if it has their column.

    `places` are those of the rows, such as `rows.csv, line 7`.
    """

    rows: list[Row]
    places: list[str]
    found: int
    truth: list[Any] | None


def read_row(
    model: Deepnet, given: Sequence[str], number: int, ignore: Collection[str]
) -> tuple[Row, list[str]]:
    """Return the row in arguments: JSON, pairs `field=value`, or row `number` of a table and its place.

    `ignore` are columns of a table that are neither fields nor true values.

    Raises InputError if there is no such row, or text that is not one.
    """
    if len(given) == 1 and given[0].lstrip().startswith(("{", "[")):
        return _read_json(given[0]), []
    if are_pairs(given):
        return {**read_pairs(given)}, []
    if len(given) > 1:
        raise InputError(f"expected one table; found {given[0]!r:.60} and {given[1]!r:.60}")
    found = next(islice(_read_rows(model, given[0], ignore), number - 1, None), None)
    if found is None:
        raise InputError(f"{given[0]} has no row {number}")
    return found.row, [found.place]


def _read_json(text: str) -> Row:
    try:
        row = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"the row is not JSON: {error}") from error
    if isinstance(row, dict) or (row and not any(isinstance(cell, dict | list) for cell in row)):
        return row
    raise InputError("expected one row: a JSON object by field name, or a list of cells")


def read_sample(
    model: Deepnet, paths: Sequence[str], most: int, *, seed: int, ignore: Collection[str]
) -> Sample:
    """Return at most so many rows of tables, drawn by a seed; raise InputError if there are none.

    `ignore` are as for `read_row`.
    """
    generator = random.Random(seed)
    kept: list[tuple[int, _TableRow]] = []
    found = 0
    for row in chain.from_iterable(_read_rows(model, path, ignore) for path in expand_paths(paths)):
        found += 1
        if len(kept) < most:
            kept.append((found, row))
        elif (replaced := generator.randrange(found)) < most:
            kept[replaced] = (found, row)
    if not found:
        raise InputError(f"{', '.join(paths)} has no rows")
    kept.sort(key=lambda each: each[0])
    rows = [row for _, row in kept]
    truths = [row.truth for row in rows]
    return Sample(
        rows=[row.row for row in rows],
        places=[row.place for row in rows],
        found=found,
        truth=None if all(truth is None for truth in truths) else truths,
    )


@frozen
class _TableRow:
    """A row of a table, its place, and its true value, None if it has none."""

    row: Row
    place: str
    truth: Any


def _read_rows(model: Deepnet, path: str, ignore: Collection[str]) -> Iterator[_TableRow]:
    """Yield the rows of a table."""
    columns = ExplainedColumns(row_layout(model.signature), frozenset(ignore))
    kind = find_format(path) or CSV
    rows: Iterator[tuple[Any, str]]
    if kind == CSV:
        lines = RowFile(path, opener=open_input).rows(columns.check)
        rows = ((row, f"{path}, line {line}") for line, row in lines)
    else:
        parts = TableFile(path, kind).parts(columns)
        rows = (
            (row, part.where(number)) for part in parts for number, row in enumerate(part.batch.to_pylist())
        )
    read = row_reader(model, tuple(ignore))
    for row, place in rows:
        truth = next((row[name] for name in columns.layout.objective_names if name in row), None)
        yield _TableRow(read(row), place, truth)


@contextlib.contextmanager
def naming_places(places: Sequence[str]) -> Iterator[None]:
    """Raise an InputError of one of some rows with its place in its table, if it has one, not its number."""
    try:
        yield
    except InputError as error:
        found = ROW_NUMBER.match(str(error))
        if found is None or not places:
            raise
        raise InputError(f"{places[int(found[1])]}: {str(error)[found.end() :]}") from error


@frozen
class ExplainedColumns:
    """What is read of a table: the model's fields, and the true values if they are there.

    `ignore` are names of other columns that it may have.
    """

    layout: RowLayout
    ignore: frozenset[str]

    def kept(self, _names: Sequence[str]) -> Sequence[str]:
        """Return no column."""
        return ()

    def check(self, names: Sequence[str]) -> None:
        """Raise what `RowLayout.check_header` raises."""
        self.layout.check_header(names, self._ignored(names))

    def reads(self, names: Sequence[str]) -> list[str]:
        """Return the columns that are read, in their order; raise what `RowLayout.select` raises."""
        chosen = {*self.layout.select(names, self._ignored(names)), *self.layout.objective_names}
        return [name for name in names if name in chosen]

    def _ignored(self, names: Sequence[str]) -> list[str]:
        return [name for name in names if name in self.ignore]
