"""Reads files with an object of JSON per line as record batches."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, BinaryIO

from sensenet.batches.arrow import RecordBatch, import_arrow
from sensenet.batches.parts import Part, read_share
from sensenet.errors import InputError, LimitError
from sensenet.limits import memory_limit, require_memory
from sensenet.runtime.cells import describe
from sensenet.runtime.row_files import CheckNames, RowFile, longer_than

OBJECTS_AT_ONCE = 16_384
"""Objects that are made a batch, or fewer if they are long."""

OBJECT_BYTES_PER_CHARACTER = 32
"""Memory per character of a line, while its values are objects of Python: `[[],[],…` takes most."""

ONE_PER_LINE = ": write each object in a line of its own"
"""What to do with a list of objects, or one in several lines."""

BYTES_PER_CELL = 16
"""Memory of a cell of a batch that is null."""

FindKept = Callable[[Sequence[str]], Sequence[str]]
"""Returns those of the names of columns that are kept."""

Numbered = tuple[int, dict[str, Any]]
"""The number of a line, and its object."""


def json_parts(file: RowFile, check: CheckNames, find_kept: FindKept) -> Iterator[Part]:
    """Yield the objects of a file as batches; a name that an object lacks is null in it.

    `check` is called with the names of each batch; those to keep, which `find_kept` returns of the names of
    the first one, may be missing in later ones. Raises InputError, naming the line, for a line that is not an
    object of JSON in UTF-8, or if the file cannot be read; LimitError for a line beyond the limit.
    """
    with file.open() as stream:
        rows = _read_rows(file, stream)
        later: Sequence[str] = ()
        while some := _take(rows):
            found = (name for _, row in some for name in row)
            names = list(dict.fromkeys([*found, *later]))
            try:
                check(names)
            except InputError as error:
                raise InputError(f"{file.path}, lines from {some[0][0]}: {error}") from error
            later = later or find_kept(names)
            require_memory(BYTES_PER_CELL * len(names) * len(some), f"{file.path}: {len(names)} columns")
            yield from _as_parts(file.path, names, some, read_share(stream))


def _longest_line() -> int:
    """Return the most characters of a line; a batch has at most twice as many, which fit the limit."""
    return memory_limit() // OBJECT_BYTES_PER_CHARACTER // 2


def _take(rows: Iterator[tuple[int, Numbered]]) -> list[Numbered]:
    """Return the next rows that are made a batch."""
    taken: list[Numbered] = []
    size, longest = 0, _longest_line()
    for length, row in islice(rows, OBJECTS_AT_ONCE):
        taken.append(row)
        size += length
        if size > longest:
            break
    return taken


def _read_rows(file: RowFile, stream: BinaryIO) -> Iterator[tuple[int, Numbered]]:
    """Yield the length of each line, and its row."""
    longest = _longest_line()
    number = 0
    while True:
        try:
            line = stream.readline(longest + 1)
        except OSError as error:
            raise file.unreadable(error) from error
        if not line:
            return
        number += 1
        if len(line) > longest:
            raise LimitError(f"{file.path}, line {number}: {longer_than(longest)}")
        if line.strip():
            yield len(line), (number, _read_row(line, f"{file.path}, line {number}", number == 1))


def _read_row(line: bytes, where: str, first: bool) -> dict[str, Any]:
    try:
        row = json.loads(line.decode("utf-8-sig" if first else "utf-8"))
    except (ValueError, RecursionError) as error:
        hint = ONE_PER_LINE if line.strip() in (b"[", b"{") else ""
        raise InputError(f"{where}: not an object of JSON in UTF-8: {error}{hint}") from error
    if not isinstance(row, dict):
        hint = ONE_PER_LINE if isinstance(row, list) else ""
        raise InputError(f"{where}: expected an object of JSON, found {describe(row)}{hint}")
    return row


def _as_parts(path: str, names: list[str], rows: list[Numbered], share: float | None) -> Iterator[Part]:
    """Yield rows as one batch; as ever smaller halves if values of one name have no type in common."""
    try:
        batch = _as_batch(names, rows)
    except InputError as error:
        if len(rows) == 1:
            raise InputError(f"{path}, line {rows[0][0]}: {error}") from error
        for some in (rows[: len(rows) // 2], rows[len(rows) // 2 :]):
            yield from _as_parts(path, names, some, share)
        return
    yield Part(batch, lambda row: f"{path}, line {rows[row][0]}", share)


def _as_batch(names: list[str], rows: list[Numbered]) -> RecordBatch:
    """Return rows as a batch; raise InputError for values that Arrow cannot hold in one column."""
    pa = import_arrow()
    columns = []
    for name in names:
        try:
            columns.append(pa.array([row.get(name) for _, row in rows]))
        except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
            raise InputError(f"the value of {describe(name)} cannot be read: {error}") from error
    if not names:
        return pa.record_batch({"": pa.nulls(len(rows))}).select([])
    return pa.RecordBatch.from_arrays(columns, names=names)
