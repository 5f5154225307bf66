"""Reads tables from files of several formats as record batches; finds the formats of files."""

from __future__ import annotations

import contextlib
import glob
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from sensenet.batches.arrow import RecordBatch, import_arrow
from sensenet.batches.arrow_messages import CheckedStream, check_file
from sensenet.batches.compression import open_input, split_compression
from sensenet.batches.csv_blocks import csv_parts
from sensenet.batches.dense_sizes import list_views, require_dense
from sensenet.batches.json_lines import json_parts
from sensenet.batches.parquet_files import read_parquet
from sensenet.batches.parts import ColumnChoice, Part
from sensenet.batches.scoring import ROWS_AT_ONCE
from sensenet.errors import InputError, LimitError, SensenetError
from sensenet.records import frozen
from sensenet.runtime.row_files import STANDARD, RowFile

CSV, JSON_LINES, PARQUET, ARROW, ARROW_STREAM = "csv", "jsonl", "parquet", "arrow", "arrows"

SUFFIXES: Mapping[str, str] = {
    ".csv": CSV,
    **dict.fromkeys((".jsonl", ".ndjson"), JSON_LINES),
    **dict.fromkeys((".parquet", ".pq"), PARQUET),
    **dict.fromkeys((".arrow", ".feather", ".ipc"), ARROW),
    ".arrows": ARROW_STREAM,
}
"""The formats by suffix; those of text may be compressed: `.csv.gz`, `.jsonl.zst`."""

FORMATS = tuple(dict.fromkeys(SUFFIXES.values()))

TEXT_FORMATS = (CSV, JSON_LINES)

ReadParts = Callable[[str, ColumnChoice], Iterator[Part]]
"""Yields the columns that are read of the file at a path."""


def find_format(path: str) -> str | None:
    """Return the format that a path's suffix names, if any."""
    plain, compression = split_compression(path)
    found = SUFFIXES.get(Path(plain).suffix.lower())
    return found if compression is None or found in TEXT_FORMATS else None


def expand_paths(paths: Sequence[str]) -> list[str]:
    """Return paths with globs and folders replaced by their tables, in the order of their names.

    A folder's other files are ignored, and so are hidden ones. Raises InputError for a glob that matches
    nothing, or a folder without tables.
    """
    found: list[str] = []
    for path in paths:
        matched = match_glob(path)
        if not matched:
            raise InputError(f"{path} matches no file")
        for each in matched:
            tables = list_tables(each) if os.path.isdir(each) else [each]
            if not tables:
                raise InputError(f"the folder {each} contains no tables; expected {', '.join(SUFFIXES)}")
            found += tables
    return found


def match_glob(path: str) -> list[str]:
    """Return the paths that a glob matches, in order; any other path, or that of a file, as it is."""
    if os.path.exists(path) or not glob.has_magic(path):
        return [path]
    return sorted(glob.glob(path, recursive=True))


def list_tables(folder: str) -> list[str]:
    """Return the tables in a folder, in the order of their names, without hidden ones; raises InputError."""
    try:
        with os.scandir(folder) as entries:
            paths = sorted(entry.path for entry in entries if not entry.name.startswith("."))
    except OSError as error:
        raise InputError(f"the folder {folder} cannot be read: {error.strerror or error}") from error
    return [path for path in paths if find_format(path) and os.path.isfile(path)]


@frozen
class TableFile:
    """A file, or `-` for stdin, and its format; `delimiter` is that of CSV."""

    path: str
    format: str
    delimiter: str = ","

    def parts(self, columns: ColumnChoice) -> Iterator[Part]:
        """Yield those columns of the file that are read, in batches.

        Raises InputError, naming the file, if it cannot be read or has columns that are refused;
        LimitError if reading it would take more memory than allowed.
        """
        rows = RowFile(self.path, delimiter=self.delimiter, opener=open_input)
        if self.format == CSV:
            return csv_parts(rows, columns.check)
        if self.format == JSON_LINES:
            return json_parts(rows, columns.check, columns.kept)
        read = {PARQUET: _parquet_parts, ARROW: _arrow_parts, ARROW_STREAM: _stream_parts}[self.format]
        return self._reported(read, columns)

    def _reported(
        self, read: Callable[[str, ColumnChoice], Iterator[Part]], columns: ColumnChoice
    ) -> Iterator[Part]:
        """Yield what a reader yields; raise InputError for anything that pyarrow raises in it."""
        try:
            yield from read(self.path, columns)
        except LimitError as error:
            raise LimitError(f"{self.path}: {error}") from error
        except SensenetError:
            raise
        except Exception as error:  # damaged files make pyarrow raise many kinds
            reason = " ".join(str(getattr(error, "strerror", None) or error).split())[:200]
            raise InputError(f"{self.path} cannot be read as {self.format}: {reason}") from error


def _reads(path: str, columns: ColumnChoice, names: Sequence[str]) -> list[str]:
    """Return the columns that are read of a file; raise InputError naming the file."""
    try:
        return columns.reads(names)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _where(path: str, start: int, row: int) -> str:
    return f"{path}, row {start + row}"


def _parquet_parts(path: str, columns: ColumnChoice) -> Iterator[Part]:
    parquet = import_arrow("pyarrow.parquet")
    _require_seekable(path)
    metadata = parquet.read_metadata(path)
    schema = metadata.schema.to_arrow_schema()
    names = _reads(path, columns, schema.names)
    kept = columns.kept(names)
    total, start = metadata.num_rows, 0
    for batch in read_parquet(path, metadata, names, ROWS_AT_ONCE):
        checked = _check(batch, kept)
        for name in kept:
            column, field = checked.column(name), schema.field(name)
            if column.type != field.type and hasattr(column, "dictionary"):
                column = column.dictionary_decode()  # of which Arrow casts to more types
            checked = checked.set_column(names.index(name), field, column.cast(field.type))
        yield Part(checked, partial(_where, path, start), (start + batch.num_rows) / max(total, 1))
        start += batch.num_rows


def _arrow_parts(path: str, columns: ColumnChoice) -> Iterator[Part]:
    pa = import_arrow()
    _require_seekable(path)
    with open(path, "rb") as stream:
        check_file(stream)
        with pa.ipc.open_file(stream) as file:
            count = file.num_record_batches
            batches = (file.get_batch(number) for number in range(count))
            shares = ((number + 1) / count for number in range(count))
            yield from _ipc_parts(path, columns, zip(batches, shares, strict=True))


def _stream_parts(path: str, columns: ColumnChoice) -> Iterator[Part]:
    pa = import_arrow()
    standard = path == STANDARD
    with contextlib.nullcontext(sys.stdin.buffer) if standard else open(path, "rb") as stream:
        reader = pa.ipc.open_stream(pa.PythonFile(CheckedStream(stream), mode="r"))
        yield from _ipc_parts(path, columns, ((batch, None) for batch in reader))


def _ipc_parts(
    path: str, columns: ColumnChoice, batches: Iterator[tuple[Any, float | None]]
) -> Iterator[Part]:
    start = 0
    for batch, share in batches:
        selected = batch.select(_reads(path, columns, batch.schema.names))
        for first in range(0, batch.num_rows, ROWS_AT_ONCE):
            part = _check(selected.slice(first, ROWS_AT_ONCE), columns.kept(selected.schema.names))
            yield Part(part, partial(_where, path, start + first), share)
        start += batch.num_rows


def _check(batch: RecordBatch, keep: Sequence[str]) -> RecordBatch:
    """Return a batch; raise an error if it is not valid, as in a damaged file, or LimitError if the columns
    to keep would take too much memory."""
    require_dense(batch, list_views(batch))
    batch.validate(full=True)  # else a damaged file makes pyarrow read other memory
    require_dense(batch, keep)
    return batch


def _require_seekable(path: str) -> None:
    if path == STANDARD:
        raise InputError(
            f"{path}: this format needs a file; of formats of Arrow, stdin may be {ARROW_STREAM}"
        )
